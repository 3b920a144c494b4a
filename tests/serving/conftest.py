import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from labelling.models import Project
from learning.models import ModelVersion
from serving.models import ApiKey, Deployment
from serving.services import prediction_log
from serving.services.champions import ChampionLoading, NoChampion, champions
from serving.services.deployments import deployments_consider, deployments_create_missing
from serving.services.keys import key_create
from tests.serving import trained


@dataclass
class Service:
    """A project whose first version answers, and a key to it."""

    project: Project
    version: ModelVersion
    key: ApiKey
    plain: str
    client: Client

    @property
    def predict_path(self) -> str:
        return f"/api/v1/projects/{self.project.slug}/predict"


@pytest.fixture
def service(transactional_db: None) -> Iterator[Service]:
    project = trained.project()
    version = trained.version(project)
    deployments_create_missing()
    deployments_consider()
    assert Deployment.objects.get(project=project).champion == version
    with service_of(project, version) as made:
        yield made


@contextmanager
def service_of(project: Project, version: ModelVersion) -> Iterator[Service]:
    """The champion is loaded, and a client has a key."""
    key, plain = key_create(project=project, name="tests", user=None)
    client = Client(headers={"Authorization": f"Bearer {plain}"}, raise_request_exception=False)
    try:
        until(lambda: answers_with(project, version))
        yield Service(project, version, key, plain, client)
    finally:
        champions.stop()


def answers_with(project: Project, version: ModelVersion) -> bool:
    try:
        return champions.get(project.pk)[0].version_id == version.pk
    except (ChampionLoading, NoChampion):
        return False


def until(happened: Callable[[], bool], seconds: float = 10.0) -> float:
    """Wait for it; return how long it took."""
    started = time.monotonic()
    while not happened():
        assert time.monotonic() - started < seconds, "it did not happen in time"
        time.sleep(0.01)
    return time.monotonic() - started


@pytest.fixture
def spooling(service: Service, settings: Settings, tmp_path: Path) -> Iterator[Service]:
    """Predictions are written as in production."""
    settings.SPOOL_DIR = tmp_path / "spool"
    prediction_log.spool.start()
    yield service
    prediction_log.spool.stop()
