"""What beat sends: one message for all apps, as a message costs more than the look that it asks for."""

from collections.abc import Callable

from celery import shared_task

import labelling.tasks
import learning.tasks
import serving.tasks
from labelling.services.workers import worker_beat


@shared_task
def tick() -> None:
    """Look for what people wait for."""
    _each(labelling.tasks.tick, learning.tasks.tick, serving.tasks.tick)


@shared_task
def tend() -> None:
    """Look for all other work."""
    _each(learning.tasks.tend, serving.tasks.tend)


@shared_task
def beat_seen() -> None:
    """Only beat sends this: that it arrives shows that beat lives."""
    worker_beat(name="beat")


def _each(*looks: Callable[[], None]) -> None:
    """One that fails keeps no other from its work."""
    failures = []
    for look in looks:
        try:
            look()
        except Exception as failure:
            failures.append(failure)
    if failures:
        raise ExceptionGroup(
            "Not everything could be looked for; it is tried again at the next tick.", failures
        )
