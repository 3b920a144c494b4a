import logging
import os
import threading
import warnings
from typing import Any, Protocol

import redis
from celery import Celery
from celery.signals import celeryd_init, task_postrun, task_prerun, worker_ready, worker_shutdown
from django.conf import settings
from django.db import close_old_connections

from config.priority import stand_back
from labelling.services.workers import worker_beat
from learning.core.lazy import load_often_used

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Running as root is a choice that `up` and containers support; tasks carry JSON, never pickle.
warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
# They load the pages, a quarter of a worker's start; the web server's start shows the same faults.
os.environ.setdefault("CELERY_SKIP_CHECKS", "true")

app = Celery("quern")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

_ended = threading.Event()
_log = logging.getLogger(__name__)


@celeryd_init.connect
def _let_clients_go_first(**kwargs: Any) -> None:
    stand_back()


@task_prerun.connect
@task_postrun.connect
def _close_old_connections(**kwargs: Any) -> None:
    close_old_connections()


class _Worker(Protocol):
    hostname: str  # queue@machine, as config.processes names it


@worker_ready.connect
def _start_heartbeat(sender: _Worker, **kwargs: Any) -> None:
    """From a thread of its own: a worker that trains for a minute is alive all the same."""
    name = sender.hostname.partition("@")[0]
    if name == "learning":
        threading.Thread(target=load_often_used, name="loading libraries", daemon=True).start()
    threading.Thread(target=_keep_saying, args=(name,), name="heartbeat", daemon=True).start()


@worker_shutdown.connect
def _end_heartbeat(**kwargs: Any) -> None:
    _ended.set()


def _keep_saying(name: str) -> None:
    while True:
        try:
            worker_beat(name=name)
        except redis.RedisError as error:
            _log.warning("the heartbeat could not be told: %s", error)
        if _ended.wait(settings.HEARTBEAT_SECONDS):
            return
