"""The life of a piece of work: sent, claimed by one worker, taken over when its heart stops.

Every step is one conditional update, so any number of ticks and workers may try it at once. `attempt` says
who owns running work: an owner that was taken over can neither report nor publish.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

from django.db import DatabaseError, connection
from django.db.models import F, Q, Value
from django.utils import timezone

from labelling.services.blobs import storage_fault
from learning.models import Work

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 2.0
LOOK_SECONDS = 1.0
STALE = timedelta(seconds=10)
# A message may get lost: it is valid this long, then another one is sent.
RESEND = timedelta(seconds=5)
ATTEMPTS = 3

W = TypeVar("W", bound=Work)


class WorkLost(Exception):
    """This worker no longer owns the work: it was taken over, ended by a person, or its project deleted."""


class WorkImpossible(Exception):
    """What a person asked for cannot be: a sentence for them, and no fault of the program."""


def works_take_over(kind: type[Work], *, afterwards: str, spared: str = "") -> None:
    """Give the work of workers that are gone to others, or up after the last attempt.

    `afterwards` tells people what happens then, in a sentence; `spared` names a field that holds how many
    attempts do not count.
    """
    last = F(spared) + ATTEMPTS if spared else Value(ATTEMPTS)
    now = timezone.now()
    stale = kind._default_manager.filter(state=Work.State.RUNNING, heartbeat_at__lte=now - STALE)
    stale.filter(attempt__lt=last).update(
        state=Work.State.QUEUED, stage="waiting to be taken over by another worker", enqueued_at=None
    )
    stale.filter(attempt__gte=last).update(
        state=Work.State.FAILED,
        stage="",
        finished_at=now,
        error=f"The worker died in each of {ATTEMPTS} attempts; see its log. {afterwards}",
    )


def works_to_send(kind: type[Work]) -> list[int]:
    """What a worker must be asked for now; each is given out once in RESEND, to one caller."""
    now = timezone.now()
    waiting = Q(enqueued_at__isnull=True) | Q(enqueued_at__lte=now - RESEND)
    every = kind._default_manager
    sent = []
    for pk, enqueued_at in every.filter(waiting, state=Work.State.QUEUED).values_list("pk", "enqueued_at"):
        unsent = every.filter(pk=pk, state=Work.State.QUEUED, enqueued_at=enqueued_at)
        sent += [pk] * unsent.update(enqueued_at=now)
    return sent


def work_claim(kind: type[W], *, pk: int, stage: str) -> W | None:
    """The work, for the one worker that gets it; None if it is done, gone or another worker's."""
    now = timezone.now()
    claimed = kind._default_manager.filter(pk=pk, state=Work.State.QUEUED).update(
        state=Work.State.RUNNING, attempt=F("attempt") + 1, stage=stage, started_at=now, heartbeat_at=now
    )
    return kind._default_manager.filter(pk=pk).first() if claimed else None


def work_owned(work: Work, **changes: object) -> None:
    """Update work that this worker owns, and say that it lives. Raises WorkLost if it no longer owns it."""
    mine = type(work)._default_manager.filter(pk=work.pk, attempt=work.attempt, state=Work.State.RUNNING)
    if not mine.update(**{"heartbeat_at": timezone.now(), **changes}):
        raise WorkLost(f"{work}, attempt {work.attempt}, was taken over, ended or deleted.")


def work_fail(work: Work, *, error: str) -> None:
    """End work that this worker owns with a sentence for its people."""
    work_owned(work, state=Work.State.FAILED, stage="", error=error[:500], finished_at=timezone.now())


def work_retry(work: Work, *, why: str) -> None:
    """Give work that this worker owns back, to be tried again in a few seconds."""
    stage = f"waiting to be tried again: {why}"[:60]
    work_owned(work, state=Work.State.QUEUED, stage=stage, enqueued_at=timezone.now())


def work_give_up(work: Work, error: Exception, *, words: str) -> None:
    """A passing fault of the storage or the database costs an attempt, anything else the work."""
    try:
        if isinstance(error, OSError | DatabaseError) and work.tries < ATTEMPTS:
            work_retry(work, why=storage_fault(error))
        else:
            work_fail(work, error=f"{words}: {storage_fault(error)}")
    except WorkLost as lost:
        logger.info("%s", lost)


def work_do(kind: type[W], *, pk: int, stage: str, do: Callable[[W], object], words: str) -> bool:
    """Claim it and `do` it while its heart beats. True when this call finished it.

    Harmless for work that is over, gone or another worker's. What goes wrong is told to its people, after
    `words`.
    """
    work = work_claim(kind, pk=pk, stage=stage)
    if work is None:
        return False
    try:
        with work_heartbeat(work):
            do(work)
    except WorkLost as lost:
        logger.info("%s", lost)
    except WorkImpossible as error:
        logger.warning("%s %s cannot be done: %s", kind.__name__, pk, error)
        work_give_up(work, error, words=words)
    except Exception as error:
        logger.exception("%s %s failed.", kind.__name__, pk)
        work_give_up(work, error, words=words)
    else:
        return True
    return False


def work_ticker(work: Work, stage: str) -> Callable[[str], None]:
    """Between the steps of something long: say what it is at, and every second see whether the work is still
    this worker's. If it was ended by a person, that raises WorkLost in the middle.
    """
    looked = time.monotonic()

    def tick(words: str) -> None:
        nonlocal looked
        now = time.monotonic()
        if words:
            work_owned(work, stage=f"{stage}: {words}"[:60])
        elif now - looked < LOOK_SECONDS:
            return
        else:
            work_owned(work)
        looked = now

    return tick


@contextmanager
def work_heartbeat(work: Work) -> Iterator[None]:
    """While the block runs, a thread says every two seconds that this worker lives."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(HEARTBEAT_SECONDS):
            try:
                work_owned(work)
            except WorkLost:
                # The main thread learns of it when it next reports.
                break
            except DatabaseError as error:
                logger.warning("The heartbeat of %s failed: %s", work, error)
            finally:
                connection.close()

    thread = threading.Thread(target=beat, name=f"heartbeat of {work}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
