"""Images that look unlike the project's own raise a notice, also where the answers to them are as ever."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from html import unescape

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labelling.models import Item, Membership, Project, Wanted
from learning.models import EmbeddingShard, ModelVersion
from learning.services.training import run_train
from serving.models import Deployment, DriftReference, DriftWindow, Prediction
from serving.services import drift
from serving.services.champions import champions
from serving.services.deployments import deployment_promote, deployments_consider, deployments_create_missing
from serving.services.drift import REASON
from serving.services.input_references import references_due
from serving.services.production import production_look
from serving.services.traffic import traffic_policy_set
from serving.tasks import make_references
from tests import factories
from tests.learning.digits import DIGITS, due_run, embed_all, label_items, learner_of, pngs
from tests.serving.changed_images import answered_alike, blurred, changed, guesses, noisy
from tests.serving.conftest import Service, answers_with, service_of, until

WINDOW, POOL = 200, 600
Digits = list[tuple[bytes, str]]


def shuffled() -> Digits:
    """They lie by who wrote them."""
    found = pngs(1797)
    return [found[at] for at in np.random.default_rng(0).permutation(len(found))]


@pytest.fixture
def digits(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(drift, "WINDOW", WINDOW)
    project = factories.project(labels=DIGITS)
    factories.items(project, [(Item.Split.POOL, data) for data, _ in shuffled()[:POOL]])
    embedded()
    with service_of(project, trained(project, labels=300)) as made:
        yield made


def embedded() -> None:
    """What comes may go on coming: it is embedded when it is no longer new."""
    Item.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    embed_all()


def trained(project: Project, labels: int) -> ModelVersion:
    """From so many labels more."""
    known = {hashlib.sha256(data).hexdigest(): label for data, label in shuffled()}
    items = Item.objects.filter(project=project).values_list("pk", "digest")
    label_items(project, {pk: known[digest] for pk, digest in items if digest in known}, labels)
    assert run_train(run_id=due_run().pk)
    deployments_create_missing()
    deployments_consider()
    return ModelVersion.objects.filter(project=project).latest("number")


def compared(project: Project) -> bytes:
    """What this process compares images with from now on."""
    assert references_due()
    make_references()
    assert not references_due()
    row = DriftReference.objects.get(project=project, backbone=learner_of(project).backbone)

    def loaded() -> bool:
        reference = champions.get(project.pk)[0].reference
        return reference is not None and reference.digest == row.digest

    until(loaded)
    return bytes.fromhex(row.digest[:16])


def send(service: Service, sent: Sequence[bytes]) -> None:
    for start in range(0, len(sent), 50):
        files = [SimpleUploadedFile(f"{n}.png", data) for n, data in enumerate(sent[start : start + 50])]
        assert service.client.post(service.predict_path, {"image": files}).status_code == 200


def looked(service: Service) -> DriftWindow | None:
    """What the tick finds, if a window is full."""
    before = DriftWindow.objects.count()
    Deployment.objects.update(looked_until=timezone.now() - timedelta(minutes=1))
    production_look()
    return DriftWindow.objects.first() if DriftWindow.objects.count() > before else None


def pages(service: Service) -> list[str]:
    manager = Client()
    manager.force_login(factories.member(service.project, Membership.Role.MANAGER))
    base = f"/projects/{service.project.slug}"
    return [
        unescape(manager.get(f"{base}/{page}/").content.decode())
        for page in ("serving/panel", "rollouts", "deployment")
    ]


def test_how_images_look_is_compared_window_by_window_and_another_backbone_begins_anew(
    digits: Service,
) -> None:
    drawn = shuffled()
    live = [data for data, _ in drawn[POOL:]]
    send(digits, live[:WINDOW])
    assert set(Prediction.objects.values_list("place", flat=True)) == {None}, "there is no reference yet"
    first = looked(digits)
    assert first is not None
    assert (first.drifted, first.inputs_p, first.compared) == (False, None, 0)

    mark = compared(digits.project)
    send(digits, [data for data, _ in drawn[: WINDOW + 50]])
    assert looked(digits) is None, "what the project has is no live traffic"
    for window in (1, 2, 3):
        send(digits, live[window * WINDOW : (window + 1) * WINDOW])
        calm = looked(digits)
        assert calm is not None
        assert (calm.drifted, calm.compared, sum(calm.live.values())) == (False, WINDOW, WINDOW)
        assert not any("notice-warn" in page for page in pages(digits))
    place = bytes(Prediction.objects.latest("created_at").place or b"")
    assert place.startswith(mark)
    assert len(place) == len(mark) + 16 * 4

    usual = guesses(digits.version, live[:500])
    for change in (blurred, noisy):
        strange = answered_alike(
            digits.version, [changed(data, change) for data in live[:800]], usual, WINDOW
        )
        send(digits, strange)
        kept = [factories.item(digits.project, data=data) for data in strange[::10]]
        found = looked(digits)
        assert found is not None
        assert (found.inputs_drifted, found.answers_drifted) == (True, False)
        assert {one.item for one in Wanted.objects.all()} >= set(kept)
        assert Wanted.objects.filter(reason=REASON, item__in=kept).exists()
    for page in pages(digits):
        assert "Clients send other images than the model was trained on." in page
        assert "They look different" in page
        assert "2 windows, one after the other" in page
    assert any(REASON in page for page in pages(digits))

    traffic_policy_set(project=digits.project, keep_images=True)
    until(
        lambda: (
            champions.get(digits.project.pk)[0].keep_images and champions.get(digits.project.pk)[0].drifted
        )
    )
    later = [changed(changed(data, blurred), noisy) for data in live[:300]]
    send(digits, later)
    waiting = Wanted.objects.filter(reason=REASON, item__metadata__source="live traffic")
    until(lambda: waiting.count() >= 3)
    assert waiting.count() <= 30, "one in twenty"

    traffic_policy_set(project=digits.project, keep_images=False)
    learner = learner_of(digits.project)
    learner.backbone = "pixels"
    learner.save()
    embedded()
    pixels = trained(digits.project, labels=10)
    assert pixels.backbone == "pixels"
    manager = factories.member(digits.project, Membership.Role.MANAGER)
    deployment_promote(project=digits.project, version=pixels, actor=manager, reason="another backbone")
    until(lambda: answers_with(digits.project, pixels))
    assert not any("notice-warn" in page for page in pages(digits))
    assert compared(digits.project) != mark
    assert looked(digits) is None, "what another backbone saw is not compared"
    send(digits, live[:WINDOW])
    anew = looked(digits)
    assert anew is not None
    assert (anew.drifted, anew.compared) == (False, WINDOW)


def test_a_reference_costs_a_request_no_statement_follows_a_growing_pool_and_may_be_lost(
    digits: Service,
) -> None:
    drawn = [data for data, _ in shuffled()]

    def statements() -> int:
        with CaptureQueriesContext(connection) as told:
            send(digits, drawn[-1:])
        return len(told)

    send(digits, drawn[-1:])
    before = statements()
    compared(digits.project)
    assert statements() == before
    assert Prediction.objects.latest("created_at").place is not None

    first = DriftReference.objects.get()
    assert (first.images, first.error) == (POOL, "")
    for more, anew in ((drawn[POOL : POOL + 30], False), (drawn[POOL + 30 : POOL + 70], True)):
        factories.items(digits.project, [(Item.Split.POOL, data) for data in more])
        embedded()
        assert references_due()
        make_references()
        assert (DriftReference.objects.get().digest != first.digest) == anew

    EmbeddingShard.objects.update(digest="1" * 64)
    DriftReference.objects.update(shards=0, images=1)
    make_references()
    broken = DriftReference.objects.get()
    assert broken.error
    assert broken.digest, "the one before goes on"
    assert not references_due()

    DriftReference.objects.update(digest="0" * 64)
    until(lambda: champions.get(digits.project.pk)[0].reference is None)
    send(digits, drawn[-1:])
    assert Prediction.objects.latest("created_at").place is None
