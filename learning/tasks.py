"""Celery tasks: fetch, then call a service. Every claim is a conditional update, so a message may come twice,
late or never; it is valid only until the next one is sent."""

from celery import shared_task

from learning.models import (
    MethodChoice,
    PolicySearch,
    PretrainingRun,
    QuantisedBackbone,
    RuleCheck,
    TrainingRun,
)
from learning.services.choices import choice_do
from learning.services.embeddings import shard_embed
from learning.services.learners import learners_ensure
from learning.services.policies import policies_to_picture, policy_picture
from learning.services.policy_search import policy_search_do
from learning.services.policy_trials import trial_judge_next
from learning.services.pretraining import pretraining_do
from learning.services.quantised import quantised_do, quantised_plan
from learning.services.quantised_exports import exports_measure, exports_waiting
from learning.services.rule_checks import check_do
from learning.services.runs import runs_create_due, runs_take_over
from learning.services.search import search_help
from learning.services.shards import holdout_shards_plan, shards_plan, shards_to_send
from learning.services.training import run_train
from learning.services.work import RESEND, works_take_over, works_to_send

# Invitations to search a big pool. A busy worker may put one by and come too late, which harms nobody.
HELPERS = 8


def tick() -> None:
    """Train what has new labels: people wait for it."""
    _send_runs()


def tend() -> None:
    """Find the work that nobody waits a second for, and what workers that are gone have left."""
    learners_ensure()
    shards_plan()
    holdout_shards_plan()
    for shard_id in shards_to_send():
        embed.apply_async((shard_id,), expires=RESEND.total_seconds())
    runs_take_over()
    works_take_over(PretrainingRun, afterwards="Begin it again, when the worker has what it needs.")
    for run_id in works_to_send(PretrainingRun):
        pretrain.apply_async((run_id,), expires=RESEND.total_seconds())
    works_take_over(
        PolicySearch, afterwards="Its trials are kept; begin a new one, or see the log.", spared="spared"
    )
    for search_id in works_to_send(PolicySearch):
        search_policies.apply_async((search_id,), expires=RESEND.total_seconds())
    for policy_id in policies_to_picture():
        picture_policy.delay(policy_id)
    works_take_over(RuleCheck, afterwards="Save a rule to have them checked again.")
    for check_id in works_to_send(RuleCheck):
        check_rules.apply_async((check_id,), expires=RESEND.total_seconds())
    works_take_over(MethodChoice, afterwards="They are compared again with more labels.")
    for choice_id in works_to_send(MethodChoice):
        compare_methods.apply_async((choice_id,), expires=RESEND.total_seconds())
    _send_int8()


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
def search_policies(search_id: int) -> None:
    policy_search_do(search_id=search_id, ask_for_help=_ask_for_judges)


@shared_task
def judge_trials(search_id: int) -> None:
    """One trial, then to the end of the queue: a training, which people wait for, is not kept waiting."""
    if trial_judge_next(search_id=search_id):
        judge_trials.apply_async((search_id,), expires=RESEND.total_seconds())


@shared_task
def picture_policy(policy_id: int) -> None:
    policy_picture(policy_id=policy_id)


@shared_task
def check_rules(check_id: int) -> None:
    check_do(check_id=check_id)


@shared_task
def compare_methods(choice_id: int) -> None:
    choice_do(choice_id=choice_id)


@shared_task
def quantise(quantised_id: int) -> None:
    quantised_do(quantised_id=quantised_id)


@shared_task
def measure_int8(quantised_id: int) -> None:
    exports_measure(quantised_id=quantised_id)


def _send_int8() -> None:
    quantised_plan()
    works_take_over(QuantisedBackbone, afterwards="It is tried again within an hour.")
    for quantised_id in works_to_send(QuantisedBackbone):
        quantise.apply_async((quantised_id,), expires=RESEND.total_seconds())
    for quantised_id in exports_waiting():
        measure_int8.apply_async((quantised_id,), expires=RESEND.total_seconds())


def _ask_for_help(search_id: int) -> None:
    for _ in range(HELPERS):
        search.apply_async((search_id,), expires=RESEND.total_seconds())


def _ask_for_judges(search_id: int) -> None:
    for _ in range(HELPERS):
        judge_trials.apply_async((search_id,), expires=RESEND.total_seconds())


def _send_runs() -> None:
    runs_create_due()
    for run_id in works_to_send(TrainingRun):
        train.apply_async((run_id,), expires=RESEND.total_seconds())
