"""The process beside the web processes: it may die or stand still, and no client learns of it."""

import os
import signal
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from django.db import OperationalError
from numpy.typing import NDArray

from labelling.core.images import open_rgb
from learning.core.backbones import prepare
from learning.core.predictor import Embedder
from serving.models import Arm, Prediction
from serving.services import doing
from serving.services.afterwards import afterwards
from serving.services.doing import Doing, rollouts_running
from serving.services.handing import Handed, Handing
from serving.services.packing import packed, unpacked
from tests.serving import trained
from tests.serving.conftest import Service, until
from tests.serving.rolled import Rolled, begun, images, rollout
from tests.serving.test_metrics import of
from tests.serving.web import web_running

# At its priority it waits for whatever else this machine does.
LONG = 90

pytestmark = pytest.mark.django_db(transaction=True)


def test_killed_or_standing_still_it_changes_nothing_for_clients_and_counts_what_it_missed(
    service: Service,
) -> None:
    rolled = begun(service, "shadow", trained.version(service.project, seed=1))
    with web_running(service) as web:
        until(lambda: web.ask()[0] == 200 and dealt(rolled) > 0, LONG)
        [first] = web.beside

        until(lambda: seen(rolled) == dealt(rolled), LONG)  # it has nothing in hand
        if sys.platform == "linux":
            assert os.sched_getscheduler(first.pid) == os.SCHED_IDLE
        first.kill()
        assert [web.ask()[0] for _ in range(20)] == [200] * 20
        until(lambda: len(web.beside) == 1 and web.beside[0].pid != first.pid, LONG)
        # What waited while there was none is seen by the next.
        until(lambda: seen(rolled) == dealt(rolled) >= 20, LONG)

        web.beside[0].send_signal(signal.SIGSTOP)
        assert [web.ask()[0] for _ in range(350)] == [200] * 350
        text = web.get("/metrics")[1].decode()
        assert 200 < of(text, "quern_afterwards_waiting") < 350
        web.beside[0].send_signal(signal.SIGCONT)
        until(lambda: of(web.get("/metrics")[1].decode(), "quern_afterwards_waiting") == 0, LONG)
        assert web.ask()[0] == 200
        until(lambda: seen(rolled) + dropped(rolled) == dealt(rolled), LONG)
        assert dropped(rolled) > 50


def dealt(rolled: Rolled) -> int:
    return Prediction.objects.filter(rollout=rolled.pk, shadow_of=None).count()


def seen(rolled: Rolled) -> int:
    return Prediction.objects.filter(rollout=rolled.pk, status="shadow").count()


def dropped(rolled: Rolled) -> int:
    return Arm.objects.get(rollout=rolled.pk, name="challenger").dropped


@pytest.fixture
def handing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Handing]:
    """This process hands over, as a web process does."""
    made = Handing.opened()
    monkeypatch.setattr(afterwards, "beside", made)
    yield made
    made.close()


@pytest.mark.parametrize("shared", [True, False])
def test_it_asks_only_for_what_the_champions_backbone_has_not_seen(
    service: Service, handing: Handing, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    challenger = trained.version(service.project, seed=1)
    rolled = rollout(service, "shadow", challenger)
    asked: list[int] = []
    embed = Embedder.embed

    def counted(self: Embedder, images: NDArray[np.uint8], until: float | None = None) -> NDArray[np.float32]:
        asked.append(len(images))
        return embed(self, images, until)

    [(image, _)] = images(1)
    if not shared:
        monkeypatch.setattr("serving.services.inference.Batch.seen_by", lambda self, model, rows: None)
    told = rolled.ask(image)
    monkeypatch.setattr(Embedder, "embed", counted)
    Doing().do(handing.waiting.take(10), rollouts_running())
    assert asked == ([] if shared else [1])
    made = Prediction.objects.get(status="shadow")
    assert str(made.shadow_of) == told["id"]
    expected = rolled.live.arms["challenger"].predictor
    assert made.model_version == challenger
    probabilities = {one["label"]: one["probability"] for one in made.top}
    [wanted] = expected.predict(prepare(open_rgb(image), expected.input_size)[None])
    assert probabilities == pytest.approx(dict(zip(expected.classes, wanted.tolist(), strict=True)), abs=1e-5)
    assert made.infer_ms > 0


def test_what_waits_of_a_paused_rollout_or_cannot_be_read_is_not_done_and_is_counted(
    service: Service, handing: Handing
) -> None:
    rolled = rollout(service, "shadow", trained.version(service.project, seed=1))
    for image, _ in images(3):
        rolled.ask(image)
    rolled.act("pause")
    [*waiting] = handing.waiting.take(10)
    Doing().do([*waiting, Handed(rolled.pk, 2, 7, b"torn")], rollouts_running())
    assert (seen(rolled), dropped(rolled)) == (0, 3 + 2 + 7)


def test_what_cannot_be_kept_takes_nothing_else_along(service: Service, handing: Handing) -> None:
    rolled = rollout(service, "shadow", trained.version(service.project, seed=1))
    for image, _ in images(3):
        rolled.ask(image)
    [first, second, third] = handing.waiting.take(10)
    # As if its project were gone.
    kind, header, parts = unpacked(second.content)
    for told in header["told"]:
        told["project_id"] += 1_000
    gone = packed(kind, header, parts)
    Doing().do([first, Handed(second.rollout_id, 1, 0, gone), third], rollouts_running())
    assert (seen(rolled), dropped(rolled)) == (2, 1)


def test_without_a_database_the_newest_wait_for_it(
    service: Service, handing: Handing, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolled = rollout(service, "shadow", trained.version(service.project, seed=1))
    looks = 0

    def away() -> set[int]:
        nonlocal looks
        looks += 1
        if looks < 3:
            raise OperationalError("the database is away")
        return rollouts_running()

    monkeypatch.setattr(doing, "AFTER_FAILURE", 0.01)
    monkeypatch.setattr(doing, "rollouts_running", away)
    rolled.ask(next(images(1))[0])
    afresh = Doing()
    for turn in range(3):
        assert (seen(rolled), handing.count()) == (0, 1), turn
        afresh.turn(handing.waiting)
    assert (seen(rolled), handing.count()) == (1, 0)
