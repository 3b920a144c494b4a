"""Which static files are collected, and when that must be done again."""

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.apps import StaticFilesConfig
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command


class QuernStaticFilesConfig(StaticFilesConfig):
    # plotly's folder holds more than the one file that pages load, and no page shows the schema by ReDoc.
    ignore_patterns = [*StaticFilesConfig.ignore_patterns, "widgetbundle.js", "datasets", "redoc"]


def collect_if_changed() -> None:
    """Run collectstatic, which hashes and compresses for some seconds, unless no source file has changed."""
    state = hashlib.sha256(repr(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for path, storage in finder.list(QuernStaticFilesConfig.ignore_patterns):
            file = Path(storage.path(path)).stat()
            state.update(f"{path} {file.st_size} {file.st_mtime_ns}\n".encode())
    stamp = settings.STATIC_ROOT / ".collected"
    if stamp.exists() and stamp.read_text() == state.hexdigest():
        return
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(state.hexdigest())
