"""A heart that beats while slow work is done: opening a large source sends no chunk for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from django.db import DatabaseError, connection
from django.db.models import QuerySet
from django.db.models.functions import Now

BEAT_SECONDS = 4.0


@contextmanager
def beating(rows: QuerySet[Any]) -> Iterator[None]:
    """Until the block ends, set the rows' `heartbeat_at` now and then, from a thread of its own."""
    stop = Event()

    def beat() -> None:
        try:
            while not stop.wait(BEAT_SECONDS):
                try:
                    rows.all().update(heartbeat_at=Now())
                except DatabaseError:
                    # It may come back; if not, the block itself fails on it.
                    connection.close()
        finally:
            connection.close()

    thread = Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
