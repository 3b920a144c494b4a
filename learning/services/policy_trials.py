"""Judging policies: any worker takes the next trial that is free; whoever is first writes its reward.

A reward depends on the search's labels and the trial's seed only, so it does not matter who judges, or
whether another was killed meanwhile.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import numpy as np
from django.db.models import Max
from django.utils import timezone

from labelling.models import Item
from learning.core.augmentation import policy_from
from learning.core.lazy import lazy
from learning.core.policy_search import SEARCHES
from learning.core.policy_search.config import SearchConfig, config_from
from learning.core.policy_search.session import Kind, Trial
from learning.core.pretraining import Answered
from learning.models import PolicySearch, PolicyTrial
from learning.services.lessons import images_read
from learning.services.policies import SIZE

if TYPE_CHECKING:
    from learning.core.children.judge import Judge

judges = lazy("learning.core.children.judge", often=False)
torch = lazy("torch", often=False)

# A trial that another has been at for so many times the longest so far is judged by whoever waits for it.
PATIENCE, LEAST_PATIENCE = 3.0, 2.0  # times, seconds

_prepared: dict[int, "Judge"] = {}
_preparing = threading.Lock()


def trials_add(*, search: PolicySearch, trials: list[Trial]) -> None:
    """Those that are there already, from an attempt before, stay as they are."""
    PolicyTrial.objects.bulk_create(
        [
            PolicyTrial(
                search=search,
                number=one.number,
                kind=one.kind,
                candidate=one.candidate,
                policy=one.policy.as_json() if one.policy else None,
                seed=one.seed,
            )
            for one in trials
        ],
        ignore_conflicts=True,
    )


def trial_judge_next(*, search_id: int) -> bool:
    """Judge a trial that nobody has begun; False when there is none, or the search is not under way."""
    free = PolicyTrial.objects.filter(
        search=search_id, search__state=PolicySearch.State.RUNNING, claimed_at=None
    )
    while (trial := free.select_related("search").order_by("number").first()) is not None:
        if PolicyTrial.objects.filter(pk=trial.pk, claimed_at=None).update(claimed_at=timezone.now()):
            _judge(trial)
            return True
    return False


def trial_judge_overdue(*, search_id: int) -> bool:
    """Judge one whose worker is silent for too long: it may have been killed."""
    trials = PolicyTrial.objects.filter(search=search_id)
    longest = trials.aggregate(longest=Max("seconds"))["longest"] or 0.0
    patience = timedelta(seconds=max(LEAST_PATIENCE, PATIENCE * longest))
    late = trials.filter(reward=None, claimed_at__lte=timezone.now() - patience).select_related("search")
    trial = late.order_by("claimed_at").first()
    if trial is not None:
        _judge(trial)
    return trial is not None


def _judge(trial: PolicyTrial) -> None:
    config = config_from(trial.search.config)
    wanted = Trial(
        trial.number,
        cast("Kind", trial.kind),
        trial.seed,
        trial.candidate,
        policy_from(trial.policy) if trial.policy else None,
    )
    with one_thread():
        judge = judge_of(trial.search, config)
        found = judge.outcome(wanted, SEARCHES[config.search].judged)
    PolicyTrial.objects.filter(pk=trial.pk, reward=None).update(
        reward=found.reward,
        diverged=found.diverged,
        seconds=found.seconds,
        finished_at=timezone.now(),
    )


def judge_of(search: PolicySearch, config: SearchConfig) -> "Judge":
    """Prepared once a process; a search's labels and settings never change."""
    with _preparing:
        if search.pk not in _prepared:
            _prepared.clear()
            classes = search.project.questions.order_by("position", "id")[0].labels.count()
            _prepared[search.pk] = judges.Judge(
                known_read(search), classes, config.child, config.seed, fraction=config.fraction
            )
        return _prepared[search.pk]


def known_read(search: PolicySearch) -> Answered:
    """The search's labelled pictures, as far as their files can still be read."""
    items = Item.objects.in_bulk([pk for pk, _ in search.known])
    there = [(items[pk], label) for pk, label in search.known if pk in items]
    images, readable = images_read(items=[item for item, _ in there], size=SIZE)
    return Answered(images, np.array([there[row][1] for row in readable], np.int64))


@contextmanager
def one_thread() -> Iterator[None]:
    """Small networks gain nothing from a second; two trials side by side do."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
