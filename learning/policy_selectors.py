"""Reads: how a search for an augmentation policy is going, and which augmentations a project can use."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import Http404

from labelling.models import Project
from learning.core.augmentation import AUGMENTATIONS
from learning.core.policy_search.config import config_from
from learning.core.policy_search.labels import part
from learning.core.policy_search.session import Session
from learning.models import AugmentationPolicy, PolicySearch, PolicyTrial

BASELINE = 0.95  # of the moving average, a trial
SHOWN = 3  # of the best trials


@dataclass(frozen=True)
class Progress:
    done: int
    total: int
    diverged: int
    best: float | None
    seconds_left: float | None  # None until a trial is done, or when nothing moves


def newest_policy_search(project: Project) -> PolicySearch | None:
    return PolicySearch.objects.filter(project=project).first()


def policies_of(project: Project) -> QuerySet[AugmentationPolicy]:
    return AugmentationPolicy.objects.filter(project=project)


def policy_of(project: Project, pk: int) -> AugmentationPolicy:
    """Raises Http404, with a sentence, for one that the project does not keep."""
    kept = policies_of(project).filter(pk=pk).first()
    if kept is None:
        raise Http404("The project keeps no such policy: it may have been deleted meanwhile.")
    return kept


def augmentations_of(project: Project) -> dict[str, tuple[str, str]]:
    """Title and summary of each augmentation that the project can use: the fixed ones, then its own."""
    found = {one.name: (one.title, one.summary) for one in AUGMENTATIONS.values()}
    for policy in policies_of(project):
        found[policy.name] = (policy.name, "a policy this project keeps; the Augmentation page shows it.")
    return found


def search_progress(search: PolicySearch) -> Progress:
    judged = search.trials.filter(reward__isnull=False)
    done = judged.count()
    best = judged.filter(kind="search").order_by("-reward").values_list("reward", flat=True).first()
    moves = search.state == PolicySearch.State.RUNNING and done and search.seconds > 0
    config = config_from(search.config)
    finals = Session.expected(config) - config.trials
    proposed = judged.filter(kind="search").count()
    labels = len(part(len(search.known), config.fraction, config.seed))
    longer = config.child.for_finals(labels).looked_at / config.child.looked_at
    each = search.seconds / (proposed + longer * (done - proposed)) if done else 0.0
    proposals = config.trials
    if search.minutes is not None and each:
        # As many as there is time for; the finals come on top.
        proposals = min(proposals, proposed + max(0, int((60 * search.minutes - search.seconds) / each)))
    if search.trials.exclude(kind="search").exists():
        proposals = proposed
    total = done if search.state == PolicySearch.State.DONE else max(done, proposals + finals)
    left_proposals = max(0, proposals - proposed)
    left = (left_proposals + longer * (total - done - left_proposals)) * each if moves else None
    return Progress(done, total, judged.filter(diverged=True).count(), best, left)


def best_trials(search: PolicySearch) -> list[PolicyTrial]:
    """The best proposals so far, best first."""
    judged = search.trials.filter(kind="search", reward__isnull=False)
    return list(judged.order_by("-reward", "number")[:SHOWN])


def rewards_of(search: PolicySearch | None) -> list[dict[str, Any]]:
    """Each proposal's reward, in order, with the moving average of those up to it."""
    if search is None:
        return []
    judged = search.trials.filter(kind="search", reward__isnull=False).order_by("number")
    points: list[dict[str, Any]] = []
    mean: float | None = None
    for trial in judged.only("number", "reward", "diverged"):
        number, reward, diverged = trial.number, trial.reward or 0.0, trial.diverged
        mean = reward if mean is None else BASELINE * mean + (1 - BASELINE) * reward
        points.append({"trial": number + 1, "reward": reward, "diverged": diverged, "baseline": mean})
    return points
