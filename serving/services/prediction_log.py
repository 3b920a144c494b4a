"""Keeping what was answered: at once in a file of this machine, a moment later in the database."""

import json
import logging
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, connection, transaction
from django.utils import timezone

from serving.models import UNANSWERED, Prediction
from serving.services.spool import SECONDS, Spool

logger = logging.getLogger(__name__)

_FIELDS = Prediction._meta.concrete_fields
_COLUMNS = ", ".join(f'"{field.column}"' for field in _FIELDS)
_JSON = {field.attname for field in _FIELDS if field.get_internal_type() == "JSONField"}
# What is written in the moment before a crash of the database's machine may be lost; a killed process loses
# nothing. Feedback commits after its prediction in the same log, so none survives without it.
_FAST = "set local synchronous_commit to off"


class CannotBeKept(OSError):
    """The disk takes no more: what cannot be recorded is not answered."""


def predictions_store(*, predictions: Sequence[Prediction]) -> None:
    """Keep them all. Where the spool runs, the caller waits for no database.

    Raises CannotBeKept.
    """
    now = timezone.now().isoformat()
    lines = [_line(one, now) for one in predictions]
    if not spool.running:
        _copy(lines)
        return
    try:
        spool.append(lines)
    except OSError as error:
        raise CannotBeKept(f"Predictions cannot be recorded on this machine: {error.strerror}.") from error


def prediction_find(*, project_id: int, pk: uuid.UUID) -> Prediction | None:
    """One that has just been made may be on its way into the database: it is waited for."""
    deadline = time.monotonic() + (5 * SECONDS if spool.running else 0)
    while True:
        found = Prediction.objects.filter(~UNANSWERED, pk=pk, project_id=project_id).first()
        if found is not None or time.monotonic() > deadline:
            return found
        time.sleep(SECONDS / 2)


def _line(prediction: Prediction, now: str) -> bytes:
    row = {field.attname: getattr(prediction, field.attname) for field in _FIELDS}
    return json.dumps({**row, "created_at": now}, default=_text, separators=(",", ":")).encode()


def _text(value: object) -> str:
    """Bytes as PostgreSQL writes them."""
    return "\\x" + value.hex() if isinstance(value, bytes) else str(value)


def _row(line: bytes) -> dict[str, Any]:
    """As COPY takes it, by field; one that came since the line was written has its usual value. A JSON null
    of a JSON column is no value. Raises ValueError.
    """
    told = json.loads(line)
    if not isinstance(told, dict):
        raise ValueError("a line of the spool names no fields")
    row = {field.attname: told.get(field.attname, field.get_default()) for field in _FIELDS}
    return {
        name: json.dumps(value) if name in _JSON and value is not None else value
        for name, value in row.items()
    }


def _stored(lines: list[bytes], perhaps_already: bool) -> None:
    """All of them. Those whose project, model or key was deleted meanwhile go with it."""
    try:
        if lines and not perhaps_already:
            _copy(lines)
    except (IntegrityError, DataError, ValueError):
        perhaps_already = True
    if perhaps_already:
        for line in lines:
            _copy_new(line)


def _copy(lines: list[bytes]) -> None:
    """All or none."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_FAST)
        with cursor.copy(f"copy serving_prediction ({_COLUMNS}) from stdin") as copy:
            for line in lines:
                copy.write_row(list(_row(line).values()))


def _copy_new(line: bytes) -> None:
    try:
        if not Prediction.objects.filter(pk=_row(line)["id"]).exists():
            _copy([line])
    except (IntegrityError, DataError, ValueError, ValidationError) as error:
        logger.warning("A prediction is not kept: %s", str(error).splitlines()[0])


def _folder() -> Path:
    return Path(settings.SPOOL_DIR)


spool = Spool(_folder, _stored)
