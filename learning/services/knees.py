"""Up to which batch a backbone gets faster on this machine: measured once, kept in a file of the machine."""

import hashlib
import json
import logging
import os
import platform
import uuid
from collections.abc import Callable
from pathlib import Path

import onnxruntime
from django.conf import settings

from learning.core.throughput import Knee, Speed

logger = logging.getLogger(__name__)


def knee_here(*, digest: str, measure: Callable[[], Knee]) -> Knee:
    """What was measured for the artifact of this digest on this machine, or is measured now.

    Two processes that measure at once do it twice; the file is whole either way. Without a place to write,
    each process measures for itself.
    """
    path = Path(settings.DATA_DIR) / "batches" / f"{digest[:32]}-{_machine()}.json"
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    except (ValueError, KeyError, TypeError, OSError) as error:
        logger.warning("%s cannot be read and is measured anew: %s", path, error)
    found = measure()
    unfinished = path.with_suffix(f".{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(json.dumps(found.as_json()))
        unfinished.replace(path)
    except OSError as error:
        logger.warning("%s cannot be written: %s", path, error)
    return found


def _read(path: Path) -> Knee:
    """Raises ValueError for a batch that no measurement gives."""
    kept = json.loads(path.read_text())
    found = Knee(kept["batch"], tuple(Speed(**one) for one in kept["curve"]))
    if not isinstance(found.batch, int) or found.batch < 1:
        raise ValueError(f"a batch of {found.batch!r}")
    return found


def _machine() -> str:
    """Whatever changes the curve: the processors and what runs on them."""
    words = [platform.node(), platform.machine(), str(os.cpu_count()), onnxruntime.__version__]
    return hashlib.sha256("/".join(words).encode()).hexdigest()[:8]
