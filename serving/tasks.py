"""Celery tasks: fetch, then call a service."""

from celery import shared_task

from serving.services.deployments import deployments_consider, deployments_create_missing
from serving.services.production import production_look
from serving.services.retention import predictions_forget
from serving.services.rollout_rules import rollouts_look


@shared_task
def tick() -> None:
    """Put new model versions into service, where their evidence allows it, and look at rollouts."""
    deployments_create_missing()
    deployments_consider()
    rollouts_look()
    production_look()
    predictions_forget()
