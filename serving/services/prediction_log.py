"""Keeping what was answered: at once in a file of this machine, a moment later in the database."""

import json
import logging
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import orjson
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, connection, transaction
from django.utils import timezone

from serving.models import UNANSWERED, Prediction
from serving.services.spool import SECONDS, Spool

logger = logging.getLogger(__name__)

_FIELDS = Prediction._meta.concrete_fields
_NAMES = [field.attname for field in _FIELDS]  # the columns' names, too
_USUAL = {field.attname: field.get_default() for field in _FIELDS if not field.primary_key}
# PostgreSQL reads the lines: each web process would spend a tenth of its time on it. A column that came since
# a line was written has its usual value.
_INSERT = """
insert into serving_prediction select * from jsonb_populate_recordset(
    jsonb_populate_record(null::serving_prediction, %s::jsonb), %s::jsonb
)
"""
_TOGETHER = 10_000  # lines; after an hour without the database there may be a million
# What is written in the moment before a crash of the database's machine may be lost; a killed process loses
# nothing. Feedback commits after its prediction in the same log, so none survives without it.
_FAST = "set local synchronous_commit to off"


# So many of a process may wait for a prediction at once: an id that is none would hold a thread as well.
_patience = threading.BoundedSemaphore(2)
# Seconds after which one that has just been made is looked for again.
_LOOKS = (1.5 * SECONDS, 5 * SECONDS)


class NotYetKnown(Exception):
    """It may be on its way into the database, and too many wait for theirs."""


class CannotBeKept(OSError):
    """The disk takes no more: what cannot be recorded is not answered."""


def predictions_store(*, predictions: Sequence[Prediction]) -> None:
    """Keep them all. Where the spool runs, the caller waits for no database.

    Raises CannotBeKept.
    """
    now = timezone.now().isoformat()
    lines = [_line(one, now) for one in predictions]
    if not spool.running:
        _insert(lines)
        return
    try:
        spool.append(lines)
    except OSError as error:
        raise CannotBeKept(f"Predictions cannot be recorded on this machine: {error.strerror}.") from error


def prediction_find(*, project_id: int, pk: uuid.UUID) -> Prediction | None:
    """One that has just been made may be on its way into the database: it is waited for.

    Raises NotYetKnown, at once, when as many wait as may.
    """
    known = Prediction.objects.filter(~UNANSWERED, pk=pk, project_id=project_id)
    began = time.monotonic()
    found = known.first()
    if found is not None or not spool.running:
        return found
    if not _patience.acquire(blocking=False):
        raise NotYetKnown
    try:
        for seconds in _LOOKS:
            time.sleep(max(0.0, began + seconds - time.monotonic()))
            if (found := known.all().first()) is not None:
                break
        return found
    finally:
        _patience.release()


def _line(prediction: Prediction, now: str) -> bytes:
    row = {name: getattr(prediction, name) for name in _NAMES}
    return orjson.dumps({**row, "created_at": now}, default=_text, option=orjson.OPT_SERIALIZE_NUMPY)


def _text(value: object) -> str:
    """Bytes as PostgreSQL writes them."""
    return "\\x" + value.hex() if isinstance(value, bytes) else str(value)


def _stored(lines: list[bytes], perhaps_already: bool) -> None:
    """All of them. Those whose project, model or key was deleted meanwhile go with it."""
    try:
        if lines and not perhaps_already:
            _insert(lines)
    except (IntegrityError, DataError, ValueError):
        perhaps_already = True
    if perhaps_already:
        for line in lines:
            _insert_new(line)


def _insert(lines: list[bytes]) -> None:
    """All or none. Raises IntegrityError, DataError or ValueError when one of them cannot be kept."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_FAST)
        for start in range(0, len(lines), _TOGETHER):
            rows = b",".join(lines[start : start + _TOGETHER]).decode()
            cursor.execute(_INSERT, [json.dumps(_USUAL), f"[{rows}]"])


def _insert_new(line: bytes) -> None:
    try:
        if not Prediction.objects.filter(pk=_id_of(line)).exists():
            _insert([line])
    except (IntegrityError, DataError, ValueError, ValidationError) as error:
        logger.warning("A prediction is not kept: %s", str(error).splitlines()[0])


def _id_of(line: bytes) -> str:
    """Raises ValueError."""
    told = json.loads(line)
    if not isinstance(told, dict) or "id" not in told:
        raise ValueError("a line of the spool is no prediction")
    return str(told["id"])


def _folder() -> Path:
    return Path(settings.SPOOL_DIR)


spool = Spool(_folder, _stored)
