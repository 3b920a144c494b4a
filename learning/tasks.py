"""Celery tasks: fetch, then call a service. Every claim is a conditional update, so a message may come twice,
late or never; it is valid only until the tick sends the next one."""

from celery import shared_task

from learning.models import PretrainingRun, RuleCheck, TrainingRun
from learning.services.embeddings import shard_embed
from learning.services.learners import learners_ensure
from learning.services.pretraining import pretraining_do
from learning.services.rule_checks import check_do
from learning.services.runs import runs_create_due, runs_take_over
from learning.services.search import search_help
from learning.services.shards import shards_plan, shards_to_send
from learning.services.training import run_train
from learning.services.work import RESEND, works_take_over, works_to_send

# Invitations to search a big pool. A busy worker may put one by and come too late, which harms nobody.
HELPERS = 8


@shared_task
def tick() -> None:
    """Find work and claim it."""
    learners_ensure()
    shards_plan()
    for shard_id in shards_to_send():
        embed.apply_async((shard_id,), expires=RESEND.total_seconds())
    runs_take_over()
    _send_runs()
    works_take_over(PretrainingRun, afterwards="Begin it again, when the worker has what it needs.")
    for run_id in works_to_send(PretrainingRun):
        pretrain.apply_async((run_id,), expires=RESEND.total_seconds())
    works_take_over(RuleCheck, afterwards="Save a rule to have them checked again.")
    for check_id in works_to_send(RuleCheck):
        check_rules.apply_async((check_id,), expires=RESEND.total_seconds())


@shared_task
def embed(shard_id: int) -> None:
    shard_embed(shard_id=shard_id)


@shared_task
def train(run_id: int) -> None:
    run_train(run_id=run_id, ask_for_help=_ask_for_help)
    # Labels that came meanwhile need not wait for the next tick.
    _send_runs()


@shared_task
def search(search_id: int) -> None:
    search_help(search_id=search_id)


@shared_task
def pretrain(run_id: int) -> None:
    pretraining_do(run_id=run_id)


@shared_task
def check_rules(check_id: int) -> None:
    check_do(check_id=check_id)


def _ask_for_help(search_id: int) -> None:
    for _ in range(HELPERS):
        search.apply_async((search_id,), expires=RESEND.total_seconds())


def _send_runs() -> None:
    runs_create_due()
    for run_id in works_to_send(TrainingRun):
        train.apply_async((run_id,), expires=RESEND.total_seconds())
