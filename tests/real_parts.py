"""A pytest plugin: a real PostgreSQL and Redis of the run's own, up before Django reads its settings."""

import atexit
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from config.embedded import EmbeddedPostgres, EmbeddedRedis

_folder = Path(tempfile.mkdtemp(prefix="quern-tests-"))
_postgres = EmbeddedPostgres(_folder / "postgres")
_redis = EmbeddedRedis(_folder / "redis")


def _stop() -> None:
    _redis.stop()
    _postgres.stop()
    shutil.rmtree(_folder, ignore_errors=True)


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


# A run that is asked to end, by a time limit say, leaves no server behind.
signal.signal(signal.SIGTERM, _end)

_data = _folder / "data"
# The web server looks for static files at its start; collectstatic has not made the folder here.
(_data / "static").mkdir(parents=True)
os.environ.update(
    DATABASE_URL=_postgres.start("quern"),
    REDIS_URL=_redis.start(),
    QUERN_DATA_DIR=str(_data),
    QUERN_SECRET_KEY="a key for tests only",
    QUERN_EMBEDDED="true",
    CUDA_VISIBLE_DEVICES="",
)
os.environ.pop("CELERY_BROKER_URL", None)
os.environ.pop("QUERN_STORAGE", None)
os.environ["CELERY_BROKER_URL"] = os.environ["REDIS_URL"].replace("unix://", "redis+socket://")
atexit.register(_stop)
