"""What becomes of an image that a model fails on, and of those that came with it."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.utils import timezone
from numpy.typing import NDArray
from pytest_django import DjangoAssertNumQueries

from labelling.core.images import open_rgb
from learning.core.backbones import prepare
from serving import selectors
from serving.core.modes import canary
from serving.models import Deployment, Prediction, Rollout
from serving.selectors.evidence import evidence_of
from serving.services import prediction_log
from serving.services.champions import champions
from serving.services.dealing import unit_hash
from serving.services.loaded import LoadedModel
from serving.services.replay import decisions_replay
from serving.services.rollout_rules import LONGEST, rollouts_look
from tests.serving import trained
from tests.serving.conftest import Service, until
from tests.serving.rolled import images, rollout
from tests.serving.test_metrics import of
from tests.serving.test_predict import files
from tests.serving.test_v2 import files as v2_files
from tests.serving.trained import DARK, picture


def champion_of(service: Service) -> LoadedModel:
    return champions.get(service.project.pk)[0].model


def breaks(monkeypatch: pytest.MonkeyPatch, *models: LoadedModel) -> None:
    """They fail on every image."""

    def fail(features: NDArray[np.float32]) -> NDArray[np.float32]:
        raise RuntimeError("it broke")

    for model in models:
        monkeypatch.setattr(model.predictor, "predict_features", fail)


def breaks_on(monkeypatch: pytest.MonkeyPatch, model: LoadedModel, image: bytes, *, backbone: bool) -> None:
    """It fails on what holds this image, in its backbone or in its head."""
    predictor = model.predictor
    if backbone:
        embed, bad_pixels = predictor.embedder.embed, prepare(open_rgb(image), predictor.input_size)

        def embed_or_fail(pixels: NDArray[np.uint8], until: float | None = None) -> NDArray[np.float32]:
            if any((one == bad_pixels).all() for one in pixels):
                raise RuntimeError("it broke")
            return embed(pixels, until)

        monkeypatch.setattr(predictor.embedder, "embed", embed_or_fail)
        return
    head, [bad] = (
        predictor.predict_features,
        predictor.embedder.embed(prepare(open_rgb(image), predictor.input_size)[None]),
    )

    def predict_or_nan(features: NDArray[np.float32]) -> NDArray[np.float32]:
        found = head(features)
        found[np.isclose(features, bad, atol=1e-4).all(axis=1)] = np.nan
        return found

    monkeypatch.setattr(predictor, "predict_features", predict_or_nan)


def test_a_champions_failure_is_kept_and_counts_as_no_answer(
    spooling: Service, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    service = spooling
    breaks(monkeypatch, champion_of(service))
    service.client.get("/v2/models/nothing")  # the key is known
    with django_assert_num_queries(0):
        refused = service.client.post(service.predict_path, picture(DARK), content_type="image/png")
    assert (refused.status_code, refused["Retry-After"]) == (503, "1")
    prediction_log.spool.hand_over()

    kept = Prediction.objects.get()
    assert (kept.status, kept.top, kept.arm, kept.model_version) == (
        "failed",
        [],
        "champion",
        service.version,
    )
    assert (kept.audited, kept.inclusion) == (False, None)
    assert selectors.traffic_of(service.project).predictions == 0
    deployment, began = Deployment.objects.get(), timezone.now() - timedelta(hours=1)
    assert selectors.unsure_since(deployment, began, 2.0) == []
    assert selectors.images_sent(deployment, 10, [b""]) == []
    text = service.client.get("/metrics").content.decode()
    told = {"project": service.project.slug, "arm": "champion", "mode": "none"}
    assert of(text, "quern_predictions_total", **told, status="unanswered") == 1
    assert of(text, "quern_predictions_total", **told, status="failed") == 0
    address = f"/api/v1/projects/{service.project.slug}/predictions/{kept.pk}/feedback"
    sent = service.client.post(address, json.dumps({"label": "dark"}), content_type="application/json")
    assert sent.status_code == 404


def test_a_canary_that_fails_no_more_than_its_champion_is_not_taken_back(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = trained.version(service.project, seed=1)
    rolled = rollout(
        service, "canary", new, steps=[0.5], hold_seconds=3600, min_requests=1000, errors_in_a_row=5
    )
    breaks(monkeypatch, *rolled.live.arms.values())
    for image, _ in images(40):
        sent = service.client.post(service.predict_path, image, content_type="image/png")
        assert sent.status_code == 503
    decision = rolled.look()
    assert decision is not None
    seen = decision.evidence["evidence"]
    champions_own = Prediction.objects.filter(rollout=rolled.pk, arm="champion").count()
    assert seen["champion"]["errors"] == seen["champion"]["errors_in_a_row"] == champions_own > 5
    # On none of the others could the champion answer: nobody knows whose fault that is.
    assert seen["challenger"]["images"] == 40 - champions_own > 5
    assert seen["challenger"]["errors"] == seen["challenger"]["errors_in_a_row"] == 0
    assert rolled.row.state == Rollout.State.RUNNING, decision.reason
    assert selectors.failures_of(rolled.row) == 0, "for none of them did the champion answer"


def test_an_image_that_fails_is_one_error_of_a_canary_however_often_it_is_sent(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a unit's key it meets the same arm each time."""
    new = trained.version(service.project, seed=1)
    rolled = rollout(service, "canary", new, steps=[0.5], hold_seconds=3600, errors_in_a_row=3)
    sent = [image for image, _ in images(24)]
    arms = [one["arm"] for one in ask_all(service, sent)]
    first, second = [place for place, arm in enumerate(arms) if arm == "challenger"][:2]
    challenger, champion = rolled.live.arms["challenger"], rolled.live.arms["champion"]
    breaks_on(monkeypatch, challenger, sent[first], backbone=False)
    breaks_on(monkeypatch, challenger, (poison := picture(DARK, 77)), backbone=False)
    breaks_on(monkeypatch, champion, poison, backbone=False)
    for _ in range(12):
        service.client.post(service.predict_path, poison, content_type="image/png")
        assert rolled.ask(sent[first])["arm"] == "challenger"
    found = evidence_of(rolled.row)
    assert isinstance(found, canary.Evidence)
    # It had answered the image before it began to fail on it, and that is what counts.
    assert (found.challenger.errors, found.challenger.errors_in_a_row) == (0, 0)
    assert found.champion.asked("errors") + found.challenger.asked("errors") == 25
    assert found.champion.requests + found.challenger.requests == 48
    Prediction.objects.filter(rollout=rolled.pk, status="ok", digest=digest_of(sent[first])).delete()
    breaks_on(monkeypatch, challenger, sent[second], backbone=False)
    rolled.ask(sent[second])
    found = evidence_of(rolled.row)
    assert isinstance(found, canary.Evidence)
    assert (found.challenger.errors, found.challenger.errors_in_a_row) == (1, 1)
    assert found.champion.errors <= 1
    in_blocks = [block.challenger for block in found.blocks]
    assert sum(one.errors for one in in_blocks) == 1
    decision = rolled.look()
    assert decision is not None
    assert (decision.action, decision.rule) == ("hold", "watching")
    assert all(one.same for one in decisions_replay())


def digest_of(image: bytes) -> str:
    return hashlib.sha256(image).hexdigest()


def test_a_slow_batch_is_no_slow_answer_of_a_canary(service: Service) -> None:
    """Its time is that of all its images, and by a unit's key all of them are one arm's."""
    sent = [image for image, _ in images(32)]
    for image in sent[:2]:
        for _ in range(60):
            service.client.post(service.predict_path, image, content_type="image/png")
    alone = Prediction.objects.filter(project=service.project)
    alone.update(infer_ms=5.0)
    ask_all(service, sent)
    Prediction.objects.filter(infer_ms__gt=5.0).update(infer_ms=80.0)
    assert selectors.champion_slow_ms(service.version) == 5.0
    rolled = rollout(
        service, "canary", trained.version(service.project, seed=1), steps=[0.5], hold_seconds=3600
    )
    assert rolled.row.slow_ms == 5.0
    units = {f"user-{n}": rolled.ask(sent[0], **{"X-Unit-Key": f"user-{n}"})["arm"] for n in range(8)}
    unit = next(unit for unit, arm in units.items() if arm == "challenger")
    answer = service.client.post(service.predict_path, files(*sent), headers={"X-Unit-Key": unit})
    assert {one["arm"] for one in answer.json()["predictions"]} == {"challenger"}
    of_rollout = Prediction.objects.filter(rollout=rolled.pk)
    of_rollout.filter(unit=unit_hash(unit)).update(infer_ms=80.0)  # its own request of one image, too
    of_rollout.exclude(unit=unit_hash(unit)).update(infer_ms=4.0)
    found = evidence_of(rolled.row)
    assert isinstance(found, canary.Evidence)
    assert (found.challenger.slow, found.champion.slow) == (1, 0)
    assert found.challenger.timed == list(units.values()).count("challenger")
    assert found.challenger.requests == found.challenger.timed + 32
    decision = rolled.look()
    assert decision is not None
    assert (decision.action, decision.rule) == ("hold", "watching")


@pytest.mark.parametrize("backbone", [True, False])
def test_of_many_images_only_the_one_at_fault_fails(
    service: Service, monkeypatch: pytest.MonkeyPatch, backbone: bool
) -> None:
    sent = [image for image, _ in images(5)]
    breaks_on(monkeypatch, champion_of(service), sent[2], backbone=backbone)
    answer = service.client.post(service.predict_path, files(*sent, b"no image"))
    assert answer.status_code == 200
    told = answer.json()["predictions"]
    assert [one["index"] for one in told] == list(range(6))
    assert told[2] == {"index": 2, "error": "The model failed on this image."}
    assert [one["labels"][0]["label"] for one in told[:2] + told[3:5]] == ["light", "dark", "dark", "light"]
    kept = Prediction.objects.values_list("status", flat=True)
    assert sorted(kept) == ["failed", "ok", "ok", "ok", "ok"]
    assert service.client.post(service.predict_path, files(sent[2], b"no image")).status_code == 503
    # By V2 it is all or none; of those that nobody is told of, none is kept as an answer.
    body = json.dumps(v2_files(*sent))
    infer = f"/v2/models/{service.project.slug}/infer"
    assert service.client.post(infer, body, content_type="application/json").status_code == 503
    assert Prediction.objects.filter(status="ok").count() == 4
    assert Prediction.objects.filter(status="failed").count() == 3


def test_an_arm_fails_on_one_image_of_a_request_not_on_all(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = trained.version(service.project, seed=1)
    rolled = rollout(service, "canary", new, steps=[0.5], hold_seconds=3600, errors_in_a_row=5)
    sent = [image for image, _ in images(24)]
    arms = [one["arm"] for one in ask_all(service, sent)]
    at_fault = arms.index("challenger")
    breaks_on(monkeypatch, rolled.live.arms["challenger"], sent[at_fault], backbone=False)
    told = ask_all(service, sent)
    versions = {"champion": service.version.number, "challenger": new.number}
    for place, one in enumerate(told):
        who = "champion" if place == at_fault else arms[place]
        assert (one["arm"], one["model"]["version"]) == (arms[place], versions[who])
    assert Prediction.objects.filter(status="failed").count() == 1
    decision = rolled.look()
    assert decision is None or decision.action == "hold"


def test_in_the_shadow_only_the_image_at_fault_fails(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolled = rollout(service, "shadow", trained.version(service.project, seed=1))
    sent = [image for image, _ in images(6)]
    breaks_on(monkeypatch, rolled.live.arms["challenger"], sent[3], backbone=False)
    ask_all(service, sent)
    until(lambda: Prediction.objects.filter(arm="challenger").count() == 6)
    broken = Prediction.objects.get(status="broken")
    assert broken.digest == hashlib.sha256(sent[3]).hexdigest()
    assert Prediction.objects.filter(status="shadow").count() == 5


def ask_all(service: Service, sent: list[bytes]) -> list[dict[str, Any]]:
    answer = service.client.post(service.predict_path, files(*sent))
    assert answer.status_code == 200, answer.content
    return list(answer.json()["predictions"])


def test_a_clock_that_is_put_back_and_a_look_that_takes_long_delay_no_decision_for_long(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolled = rollout(service, "ab", trained.version(service.project, seed=1))

    def due_in() -> timedelta:
        assert rolled.row.due_at is not None
        return rolled.row.due_at - timezone.now()

    Rollout.objects.filter(pk=rolled.pk).update(due_at=timezone.now() + timedelta(hours=1))
    rollouts_look()
    assert due_in() < timedelta(seconds=20)
    monkeypatch.setattr("serving.services.rollout_rules.BUSY_SHARE", 1e-6)
    Rollout.objects.filter(pk=rolled.pk).update(due_at=timezone.now())
    rollouts_look()
    assert timedelta(seconds=20) < due_in() <= LONGEST
