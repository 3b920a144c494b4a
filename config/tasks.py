from celery import shared_task

from labelling.services.workers import worker_beat


@shared_task
def beat_seen() -> None:
    """Only beat sends this: that it arrives shows that beat lives."""
    worker_beat(name="beat")
