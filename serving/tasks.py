"""Celery tasks: fetch, then call a service."""

from threading import Lock

from celery import shared_task

from serving.services.deployments import deployments_consider, deployments_create_missing
from serving.services.input_references import references_due, references_make
from serving.services.offers import offers_make, offers_missing, offers_withdraw
from serving.services.production import audits_withdraw, production_look
from serving.services.retention import predictions_forget
from serving.services.rollout_rules import rollouts_look
from serving.services.unit_counts import units_forget

# One thread a worker process makes lists, and one references: another would make the same.
_offering = Lock()
_comparing = Lock()


def tick() -> None:
    """Put new model versions into service, where their evidence allows it, and look at rollouts."""
    deployments_create_missing()
    deployments_consider()
    rollouts_look()
    offers_withdraw()
    if offers_missing():
        make_offers.apply_async(expires=5)


def tend() -> None:
    """Put what clients send into the queue of labels, and forget what is old."""
    production_look()
    audits_withdraw()
    predictions_forget()
    units_forget()
    if references_due():
        make_references.apply_async(expires=5)


@shared_task
def make_references() -> None:
    if not _comparing.acquire(blocking=False):
        return
    try:
        references_make()
    finally:
        _comparing.release()


@shared_task
def make_offers() -> None:
    if not _offering.acquire(blocking=False):
        return
    try:
        for rollout in offers_missing():
            offers_make(rollout=rollout)
    finally:
        _offering.release()
