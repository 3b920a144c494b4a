"""The figures for Prometheus: who may read them, and that all web processes count together."""

import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from django.conf import LazySettings
from django.db import connections
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from serving.services import metrics
from tests import factories
from tests.serving.conftest import Service, until
from tests.serving.trained import DARK, picture
from tests.serving.web import Web, web_running


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(text: str, name: str, **labels: str) -> float:
    return samples(text).get((name, tuple(sorted(labels.items()))), 0.0)


@pytest.mark.django_db
def test_they_open_to_a_token_or_to_staff_or_embedded_to_this_machine(
    client: Client, settings: LazySettings
) -> None:
    assert client.get("/metrics").status_code == 200
    # Behind a proxy on this machine, everybody comes from this machine.
    assert client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 403
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.9").status_code == 403
    settings.METRICS_TOKEN = "one for the scraper"
    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers={"Authorization": "Bearer another"}).status_code == 403
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 403
    told = client.get("/metrics", headers={"Authorization": "Bearer one for the scraper"})
    assert told.status_code == 200
    client.force_login(factories.user())
    assert client.get("/metrics").status_code == 403
    client.force_login(factories.user(is_staff=True))
    assert client.get("/metrics").status_code == 200
    settings.METRICS_TOKEN, settings.EMBEDDED = "", False
    assert Client().get("/metrics").status_code == 403


def test_a_prediction_is_counted_with_its_project_arm_mode_and_status(service: Service) -> None:
    labels = {"project": service.project.slug, "arm": "champion", "mode": "none", "status": "ok"}
    assert service.client.post(service.predict_path, picture(DARK), "image/png").status_code == 200
    assert service.client.post(service.predict_path, b"no image", "image/png").status_code == 400
    text = service.client.get("/metrics").content.decode()
    assert of(text, "quern_predictions_total", **labels) == 1
    assert of(text, "quern_requests_total", api="predict", status="400") >= 1
    assert of(text, "quern_requests_in_flight", api="predict") == 0
    assert of(text, "quern_batch_images_count", process="web") >= 1
    assert of(text, "quern_champion_version", project=service.project.slug, question="label") == 1
    assert of(text, "quern_database_up") == 1
    assert ("quern_queue_messages", (("queue", "learning"),)) in samples(text)


@pytest.mark.django_db(transaction=True)
def test_without_a_database_the_rest_is_told(client: Client, settings: LazySettings, tmp_path: Path) -> None:
    settings.SPOOL_DIR = tmp_path  # a process that another test has killed may have left something
    connection = connections["default"]
    host = connection.settings_dict["HOST"]
    connection.close()
    connection.settings_dict["HOST"] = "/nowhere"
    try:
        text = client.get("/metrics").content.decode()
    finally:
        connection.settings_dict["HOST"] = host
    assert of(text, "quern_database_up") == 0
    assert "quern_spool_lag_seconds 0.0" in text


def test_web_processes_count_together_and_a_killed_one_stays_counted(service: Service) -> None:
    with web_running(service) as web:
        before = counted(web, service)
        for _ in range(24):
            assert web.ask()[0] == 200
        assert counted(web, service) == before + 24
        folder = Path(os.environ["QUERN_DATA_DIR"]) / "metrics"
        processes = {path.stem.rpartition("_")[2] for path in folder.glob("counter_*.db")}
        assert len(processes) == 2, "both have answered"
        os.kill(int(min(processes)), signal.SIGKILL)
        until(lambda: not psutil.pid_exists(int(min(processes))), 10)
        until(lambda: web.ask()[0] == 200, 20)
        assert counted(web, service) >= before + 25
        # Again and again: the server does not take that for a reason to end.
        for _ in range(3):
            [worker, _] = web.workers
            worker.kill()
            worker.wait(10)
            until(lambda: len(web.workers) == 2, 10)
        until(lambda: web.ask()[0] == 200, 20)


def counted(web: Web, service: Service) -> float:
    labels = {"project": service.project.slug, "arm": "champion", "mode": "none", "status": "ok"}
    return of(web.get("/metrics")[1].decode(), "quern_predictions_total", **labels)


def test_counting_costs_a_request_some_microseconds() -> None:
    metrics.request_began("cost")
    metrics.request_ended("cost", 200, 0.01)
    turns = 2_000
    started = time.perf_counter()
    for _ in range(turns):
        metrics.request_began("cost")
        metrics.request_ended("cost", 200, 0.01)
    took = (time.perf_counter() - started) / turns
    assert took < 200e-6, "some microseconds on a quiet machine"
