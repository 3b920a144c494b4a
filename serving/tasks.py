"""Celery tasks: fetch, then call a service."""

from celery import shared_task

from serving.services.deployments import deployments_consider, deployments_create_missing


@shared_task
def tick() -> None:
    """Put new model versions into service, where their evidence allows it."""
    deployments_create_missing()
    deployments_consider()
