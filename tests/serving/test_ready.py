"""When a web process says that it is ready, it is; and it stops saying so within a second."""

import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from django.db import connection
from numpy.typing import NDArray

from learning.services.artifacts import artifact_name
from serving.models import Deployment
from serving.services.champions import champions
from tests.serving import trained
from tests.serving.conftest import Service, answers_with, until
from tests.serving.frozen import way_to_database
from tests.serving.web import web_running


def test_a_process_is_ready_once_its_models_have_answered_a_sample(service: Service) -> None:
    until(champions.tried)
    assert service.client.get("/health/ready").json() == {"status": "ready"}
    champions.stop()
    champions.start()
    # It says what it is doing, until it is done.
    seen: list[str] = []

    def ready() -> bool:
        seen.append(service.client.get("/health/ready").json()["status"])
        return seen[-1] == "ready"

    until(ready)
    assert set(seen) <= {"loading", "ready"}
    assert answers_with(service.project, service.version)


def test_a_model_that_loads_but_fails_on_a_sample_does_not_take_over(service: Service) -> None:
    broken = trained.version(service.project, features=10)
    Deployment.objects.update(champion=broken)
    time.sleep(1.0)
    assert answers_with(service.project, service.version), "the old one goes on answering"
    assert service.client.get("/health/ready").status_code == 200
    # A process that starts now has nothing to answer with.
    champions.stop()
    champions.start()
    until(champions.tried)
    told = service.client.get("/health/ready")
    assert (told.status_code, told.json()["status"]) == (503, "pages only")
    assert service.client.get("/v2/health/ready").status_code == 503


def test_a_loaded_model_that_stops_answering_is_told_within_a_second_and_so_is_its_return(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(champions.tried)
    assert service.client.get("/health/ready").status_code == 200
    predictor = champions.get(service.project.pk)[0].model.predictor
    asked: list[int] = []

    def broken(features: NDArray[np.float32]) -> NDArray[np.float32]:
        asked.append(len(features))
        raise RuntimeError("the session is gone")

    with monkeypatch.context() as patched:
        patched.setattr(predictor, "predict_features", broken)
        time.sleep(1.0)
        told = service.client.get("/health/ready")
        assert (told.status_code, told.json()["status"]) == (503, "not ready")
        assert service.client.get("/v2/health/ready").status_code == 503
        assert service.client.get("/health/live").status_code == 200
        # However often it is asked, a sample is tried twice a second.
        began = time.monotonic()
        for _ in range(20):
            service.client.get("/health/ready")
        assert len(asked) <= 2 + 2 * (time.monotonic() - began)
    time.sleep(1.0)
    assert service.client.get("/health/ready").status_code == 200


def test_a_damaged_model_is_found_before_a_client_asks(service: Service) -> None:
    champions.stop()
    second = trained.version(service.project, seed=5)
    name = artifact_name(digest=second.card["onnx"], suffix=".onnx")
    head = Path(os.environ["QUERN_DATA_DIR"]) / "storage" / name
    head.write_bytes(head.read_bytes()[:-10])
    Deployment.objects.update(champion=second)
    champions.start()
    until(champions.tried)
    assert service.client.get("/health/ready").json()["status"] == "pages only"


def test_a_database_that_is_silent_is_told_within_a_second_and_so_is_its_return(service: Service) -> None:
    # A socket's path may hold little more than a hundred characters.
    with (
        tempfile.TemporaryDirectory(prefix="way-") as folder,
        way_to_database(Path(folder), str(connection.settings_dict["NAME"])) as (way, url),
        web_running(service, {"DATABASE_URL": url}) as web,
    ):
        way.open.clear()
        frozen = time.monotonic()
        slowest, answers = 0.0, []
        while time.monotonic() - frozen < 3.0:
            asked = time.monotonic()
            status, body = web.get("/health/ready")
            slowest = max(slowest, time.monotonic() - asked)
            answers.append((asked - frozen, status, body))
            time.sleep(0.02)
        late = [at for at, status, _ in answers if status == 200]
        assert max(late, default=0.0) <= 1.0, "it says ready for a second at most"
        assert {status for at, status, _ in answers if at > 1.0} == {503}
        assert json.loads(answers[-1][2])["detail"] == "Not ready: the database did not answer."
        assert slowest < 1.0, "a check never hangs with the database"
        assert web.get("/health/live")[0] == 200
        # A key that was looked up a moment ago is believed; then it is 503 at once, not a wait.
        asked = time.monotonic()
        status, headers, told = web.ask()
        assert (status, headers["retry-after"]) == (503, "1")
        assert told["detail"] == "The database does not answer at the moment. Try again in a second."
        assert time.monotonic() - asked < 1.0
        way.open.set()
        until(lambda: {web.get("/health/ready")[0] for _ in range(8)} == {200}, 10)
