"""Celery tasks: fetch, then call a service."""

from celery import shared_task


@shared_task
def tick() -> None:
    """Find work and claim it."""
