"""Celery tasks: fetch, then call a service."""

from threading import Lock

from celery import shared_task

from labelling.services.imports import import_claim_next, import_claimable, import_run

# One import at a time a worker process: its other threads stay free for the ticks of everything else.
_importing = Lock()


def tick() -> None:
    """Find imports to do. One query when there are none."""
    if import_claimable():
        # Sent again at every tick until a worker takes the job: a message that waited is of no use any more.
        run_imports.apply_async(expires=5)


@shared_task
def run_imports() -> None:
    if not _importing.acquire(blocking=False):
        return
    try:
        while job := import_claim_next():
            import_run(job=job)
    finally:
        _importing.release()
