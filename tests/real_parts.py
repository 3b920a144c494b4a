"""A pytest plugin: a real PostgreSQL and Redis of the run's own, up before Django reads its settings.

Where the run has several processes (pytest-xdist), its first one owns the servers; each worker process has
a database of its own in them, which pytest-django names, and a number of Redis's. What all of them need is
made by whoever needs it first, in the run's folder (`tests.once`).
"""

import atexit
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

import psycopg
import pytest

from config.embedded import EmbeddedPostgres, EmbeddedRedis

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")  # "gw0", "gw1", ...


def _own() -> None:
    """Start the servers; they and their files end with this process."""
    folder = Path(tempfile.mkdtemp(prefix="quern-tests-"))
    postgres, redis = EmbeddedPostgres(folder / "postgres"), EmbeddedRedis(folder / "redis")

    def stop() -> None:
        redis.stop()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    # A run that is asked to end, by a time limit say, leaves no server behind.
    signal.signal(signal.SIGTERM, _end)
    os.environ.update(
        DATABASE_URL=_hasty(postgres.start("quern")),
        REDIS_URL=redis.start(),
        QUERN_DATA_DIR=str(folder / "data"),
        QUERN_TEST_RUN=str(folder),
        QUERN_SECRET_KEY="a key for tests only",
        QUERN_EMBEDDED="true",
        CUDA_VISIBLE_DEVICES="",
    )
    os.environ.pop("QUERN_STORAGE", None)
    os.environ["CELERY_BROKER_URL"] = os.environ["REDIS_URL"].replace("unix://", "redis+socket://")


def _hasty(url: str) -> str:
    """The server waits for no disk: its files go at the end, and no test cuts off the power."""
    with psycopg.connect(url, autocommit=True) as server:
        for name, value in {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}.items():
            server.execute(f"alter system set {name} = {value}")
        server.execute("select pg_reload_conf()")
    return url


def _share() -> None:
    """Take a part of what the first process has started."""
    number = 1 + int(WORKER.removeprefix("gw"))
    os.environ["REDIS_URL"] += f"?db={number}"
    os.environ["CELERY_BROKER_URL"] += f"?virtual_host={number}"
    os.environ["QUERN_DATA_DIR"] += f"/{WORKER}"


def _end(number: int, frame: FrameType | None) -> None:
    # Not sys.exit: within a test that would be no more than its failure, and the next one would begin.
    pytest.exit(f"Ended by signal {number}.", returncode=128 + number)


def _let_others_run() -> None:
    """Threads that wait for each other must not spin: workers share the cores. Read when torch is loaded."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _compile_once() -> None:
    """Where Python is told to keep no compiled files, each of a run's many processes would compile all of
    Quern, for 0.6 s.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


_let_others_run()
_compile_once()
if WORKER:
    _share()
else:
    _own()
# The web server looks for static files at its start; collectstatic has not made the folder here.
(Path(os.environ["QUERN_DATA_DIR"]) / "static").mkdir(parents=True, exist_ok=True)
