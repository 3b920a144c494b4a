"""A notice says when clients send other images than the project's own, and some of them are asked."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from labelling.models import Item, Membership, Wanted
from serving.models import Deployment, DriftWindow
from serving.services import drift
from serving.services.drift import drift_look
from tests import factories
from tests.learning.digits import embed_all
from tests.serving.conftest import Service
from tests.serving.rolled import images
from tests.serving.trained import DARK, picture

WINDOW = 60  # also a request's worth of images


def send(service: Service, sent: list[bytes]) -> None:
    files = [SimpleUploadedFile(f"{number}.png", data) for number, data in enumerate(sent)]
    assert service.client.post(service.predict_path, {"image": files}).status_code == 200


def test_drift_is_noticed_window_by_window_and_some_images_are_asked(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, "WINDOW", WINDOW)
    for image, _ in images(40):
        factories.item(service.project, data=image)
    Item.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    embed_all()
    deployment = Deployment.objects.get(project=service.project)
    manager = Client()
    manager.force_login(factories.member(service.project, Membership.Role.MANAGER))
    panel = f"/projects/{service.project.slug}/serving/panel/"

    alike = [image for image, _ in images(WINDOW, start=3000)]
    send(service, alike[:30])
    send(service, alike[:30])
    assert drift_look(deployment=deployment) is None, "30 different images fill no window of 60"
    send(service, alike[30:])
    calm = drift_look(deployment=deployment)
    assert calm is not None
    assert (calm.drifted, sum(calm.live.values()), sum(calm.pool.values())) == (False, WINDOW, 40)
    assert drift_look(deployment=deployment) is None, "a window is looked at once"
    assert "notice-warn" not in manager.get(panel).content.decode()

    dark = [picture(DARK, 7000 + number) for number in range(WINDOW)]
    send(service, dark)
    known = [factories.item(service.project, data=image) for image in dark[::3]]  # kept since
    drifted = drift_look(deployment=deployment)
    assert drifted is not None
    assert (drifted.answers_drifted, drifted.inputs_drifted, drifted.drifted) == (True, False, True)
    assert drifted.p < 0.001
    assert drifted.inputs_p is None, "40 images are too few to compare looks with"
    for page in (panel, f"/projects/{service.project.slug}/rollouts/"):
        words = manager.get(page).content.decode()
        assert "answers &#x27;dark&#x27; to 100% of theirs and to 50% of the project" in words
    assert {one.item for one in Wanted.objects.all()} == set(known)
    assert DriftWindow.objects.count() == 2
