"""What becomes of an image that a model fails on, and of those that came with it."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.utils import timezone
from numpy.typing import NDArray
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from serving import selectors
from serving.models import Deployment, Prediction, Rollout
from serving.services import prediction_log
from serving.services.champions import champions
from serving.services.loaded import LoadedModel
from tests.serving import trained
from tests.serving.conftest import Service
from tests.serving.rolled import images, rollout
from tests.serving.test_metrics import of
from tests.serving.trained import DARK, picture


def champion_of(service: Service) -> LoadedModel:
    return champions.get(service.project.pk)[0].model


def breaks(monkeypatch: pytest.MonkeyPatch, *models: LoadedModel) -> None:
    """They fail on every image."""

    def fail(features: NDArray[np.float32]) -> NDArray[np.float32]:
        raise RuntimeError("it broke")

    for model in models:
        monkeypatch.setattr(model.predictor, "predict_features", fail)


@pytest.fixture
def spooling(service: Service, settings: Settings, tmp_path: Path) -> Iterator[Service]:
    settings.SPOOL_DIR = tmp_path / "spool"
    prediction_log.spool.start()
    yield service
    prediction_log.spool.stop()


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
    assert seen["champion"]["errors"] + seen["challenger"]["errors"] == 40
    assert min(seen[arm]["errors_in_a_row"] for arm in ("champion", "challenger")) >= 5
    assert rolled.row.state == Rollout.State.RUNNING, decision.reason
    assert selectors.failures_of(rolled.row) == 0, "for none of them did the champion answer"
