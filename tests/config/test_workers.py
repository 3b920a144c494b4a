import time

import pytest
from django.conf import settings
from django.core.cache import cache
from pytest_django.fixtures import Settings

from config import celery_app
from config.tasks import beat_seen
from labelling.services.workers import worker_beat, workers_seen


@pytest.fixture(autouse=True)
def _nobody_yet() -> None:
    cache.clear()


def test_a_worker_never_heard_of_is_missing() -> None:
    assert workers_seen() == {}


def test_it_counts_the_seconds_since_each_was_heard_of() -> None:
    worker_beat(name="learning")
    time.sleep(0.2)
    worker_beat(name="default")
    seen = workers_seen()
    assert set(seen) == {"learning", "default"}
    assert 0.2 <= seen["learning"] < 5
    assert 0 <= seen["default"] < seen["learning"]


def test_without_redis_nobody_is_heard(settings: Settings) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "unix:///nowhere.sock"}}
    assert workers_seen() == {}


def test_beat_is_heard_by_the_task_that_only_beat_sends() -> None:
    entry = settings.CELERY_BEAT_SCHEDULE["beat"]
    assert entry["task"] == beat_seen.name
    beat_seen.apply()
    assert set(workers_seen()) == {"beat"}


def test_every_scheduled_task_exists() -> None:
    celery_app.loader.import_default_modules()
    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} <= set(celery_app.tasks)
