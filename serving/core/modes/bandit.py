"""Bandit: each arm gets traffic by its chance of being the best: fewer clients get worse answers meanwhile.

Thompson sampling in batches with delayed rewards: an answer counts when its label is there, until then it is
pending and says nothing. Arms may be more than two. With `by_class`, the shares are chosen for each of the
champion's best guesses by itself, once there are labels enough. It ends by labels weighed by the chance that
their arm had: what is hard may come when, or in the class where, one arm answers more. A unit's labels in one
phase are not independent: their sum is one observation, and some units must be there.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from serving.core.modes.base import (
    CHALLENGER,
    CHAMPION,
    Action,
    Figure,
    Outlook,
    Split,
    State,
    Verdict,
    figure,
    later,
    mode,
)
from serving.core.modes.failures import RULES, Failures, failing, levels, max_errors
from serving.core.modes.figures import NORMAL, errors_figure, evidence_figure, share
from serving.core.records import Settings, setting
from serving.core.statistics.clusters import units_missing
from serving.core.statistics.contrast import ContrastSums, contrast_half_width, contrast_p
from serving.core.statistics.off_policy import (
    OffPolicySums,
    doubly_robust,
    effective_size,
    inverse_propensity,
    self_normalised,
)
from serving.core.statistics.sample_size import labels_by_arms
from serving.core.statistics.thompson import chances_of_best, shares
from serving.core.statistics.two_proportions import log_better_evidence

ALL = ""  # the context of all traffic together


@dataclass(frozen=True)
class Config(Settings):
    floor: float = setting(
        0.05, "Least share of an arm", "so that a mistake can be noticed", low=0.001, high=0.45
    )
    min_labels: int = setting(
        100, "Least labels an arm", "before the shares change at all", low=10, high=10**7
    )
    batch_labels: int = setting(
        50, "Labels a batch", "new ones between two changes of the shares", low=1, high=10**7
    )
    by_class: bool = setting(
        False,
        "By class",
        "other shares for each of the champion's best guesses: it is asked about every image",
    )
    alpha: float = setting(
        0.05, "Chance of a wrong end", "however often it is looked at", low=0.0001, high=0.2
    )
    max_labels: int = setting(20_000, "Most labels", "without an end, a person is asked", low=20, high=10**9)
    max_errors: float = max_errors()


@dataclass(frozen=True)
class Answers:
    """Of one arm: how many of its answers labels found right or wrong, as one that failed is, and how many
    wait for a label.
    """

    right: int = 0
    wrong: int = 0
    pending: int = 0


@dataclass(frozen=True)
class Evidence:
    answers: dict[str, Answers] = field(default_factory=dict)  # by arm
    by_class: dict[str, dict[str, Answers]] = field(default_factory=dict)  # by the champion's best guess, arm
    weights: dict[str, dict[str, float]] = field(default_factory=dict)  # the state's, now
    labels_at_change: int = 0  # labels that the present shares were made of
    off_policy: dict[str, OffPolicySums] = field(default_factory=dict)  # by arm
    # Decisions from before it was counted have none, and compare the answers as they are.
    contrast: ContrastSums | None = None
    failures: Failures = field(default_factory=Failures)
    rules: int = 1  # see `failures.RULES`


class _Compared(NamedTuple):
    log_e: float  # against: the challenger and the champion have as many right
    alpha: float  # at which that decides
    better: bool
    found: str
    figures: tuple[Figure, ...] = ()


def split(config: Config, state: State, context: str) -> Split:
    overall = state.weights.get(ALL) or {CHALLENGER: 0.5, CHAMPION: 0.5}
    return Split(state.weights.get(context, overall) if config.by_class else overall)


def labels_needed(config: Config, outlook: Outlook) -> int:
    """With even shares; with others it takes longer, and costs less."""
    alpha = levels(config.alpha, RULES).compared
    return max(2 * config.min_labels, labels_by_arms(outlook.accuracy, outlook.difference, alpha))


@mode(
    "bandit",
    title="Bandit",
    summary="the better model gets more traffic while it is being found; best when wrong answers cost much.",
    config=Config,
    evidence=Evidence,
    split=split,
    labels_needed=labels_needed,
)
def decide(config: Config, evidence: Evidence) -> Verdict:
    answers = {CHALLENGER: Answers(), CHAMPION: Answers(), **evidence.answers}
    labels = sum(one.right + one.wrong for one in answers.values())
    level = levels(config.alpha, evidence.rules)
    compared = _compare(level.compared, evidence.contrast, answers[CHALLENGER], answers[CHAMPION])
    chances = _chances(answers)
    figures = _figures(config, evidence, answers, chances, compared)
    found = compared.found

    def say(action: Action, rule: str, reason: str, state: State | None = None) -> Verdict:
        return Verdict(action, rule, reason, figures, state)

    failed = failing(evidence.failures, config.max_errors, level.errors)
    if failed:
        return say("roll_back", *failed)
    fewest = min(one.right + one.wrong for one in answers.values())
    if fewest < config.min_labels:
        return say(
            "hold",
            "few-labels",
            f"Waits for labels: {fewest} of at least {config.min_labels} an arm are there.",
        )
    units = units_missing(evidence.contrast.least_units if evidence.contrast else None)
    if compared.log_e >= -math.log(compared.alpha) and len(answers) == 2 and not units:
        if compared.better:
            return say("promote", "better", f"The challenger is better: {found}.")
        return say("roll_back", "worse", f"The challenger is worse: {found}.")
    if labels >= config.max_labels:
        return say(
            "hold", "undecided", f"After {labels} labels neither is proven better ({found}): decide yourself."
        )
    fresh = labels - evidence.labels_at_change
    if fresh < config.batch_labels and units:
        return say(
            "hold",
            "few-units",
            f"Waits for labels of {units} more units in each arm: what few of them send is harder or easier "
            f"than other images, whichever arm answers ({found}).",
        )
    if fresh < config.batch_labels:
        return say(
            "hold",
            "batch",
            f"Waits for {config.batch_labels - fresh} more labels before the shares may change.",
        )
    weights = _weights(config, evidence, chances)
    if weights == evidence.weights:
        return say("hold", "same-shares", f"The shares stay: {found}.")
    told = ", ".join(f"{arm} {weight:.0%}" for arm, weight in weights[ALL].items())
    return say("reweight", "thompson", f"The shares follow {labels} labels: {told}.", State(weights=weights))


def _compare(alpha: float, contrast: ContrastSums | None, new: Answers, old: Answers) -> _Compared:
    if contrast is None:
        better = log_better_evidence(new.right, new.wrong, old.right, old.wrong)
        worse = log_better_evidence(old.right, old.wrong, new.right, new.wrong)
        found = f"{new.right} of {new.right + new.wrong} right against {old.right} of {old.right + old.wrong}"
        return _Compared(max(better, worse), alpha / 2, better > worse, found)
    if contrast.n == 0:
        return _Compared(0.0, alpha, False, "nothing is known of either")
    middle, half = contrast.difference, contrast_half_width(contrast, alpha)
    low, high = middle - half, middle + half
    log_e = -math.log(max(1e-300, contrast_p(contrast, alpha)))
    told = figure("accuracy", "Right", "difference", middle, low=low, high=high, n=float(contrast.n))
    found = f"right {middle:+.1%} ({low:+.1%} to {high:+.1%})"
    return _Compared(log_e, alpha, middle > 0, found, (told,))


def _chances(answers: dict[str, Answers]) -> dict[str, float]:
    arms = sorted(answers)
    right = np.array([answers[arm].right for arm in arms], float)
    wrong = np.array([answers[arm].wrong for arm in arms], float)
    return dict(zip(arms, chances_of_best(right, wrong).tolist(), strict=True))


def _weights(config: Config, evidence: Evidence, chances: dict[str, float]) -> dict[str, dict[str, float]]:
    found = {ALL: later(shares(chances, config.floor))}
    if config.by_class:
        for context, answers in sorted(evidence.by_class.items()):
            known = {arm: answers.get(arm, Answers()) for arm in chances}
            if min(one.right + one.wrong for one in known.values()) >= config.min_labels:
                found[context] = later(shares(_chances(known), config.floor))
    return found


def _figures(
    config: Config,
    evidence: Evidence,
    answers: dict[str, Answers],
    chances: dict[str, float],
    compared: _Compared,
) -> tuple[Figure, ...]:
    found: list[Figure] = []
    labels = sum(one.right + one.wrong for one in answers.values())
    for arm, one in sorted(answers.items()):
        n = one.right + one.wrong
        found.append(share("accuracy", "Right", arm, one.right, n, 1 - config.alpha))
        found.append(figure("best", "Chance of being the best", arm, chances[arm], n=float(n)))
        found.append(figure("pending", "Answers without a label yet", arm, float(one.pending), unit="count"))
        found += _values(arm, evidence.off_policy.get(arm, OffPolicySums()))
    found += compared.figures
    found.append(evidence_figure("Evidence that one is better", compared.log_e, compared.alpha, labels))
    found += errors_figure(evidence.failures, 1 - config.alpha)
    return tuple(found)


def _values(arm: str, sums: OffPolicySums) -> list[Figure]:
    if sums.n == 0:
        return []
    estimates = {
        "ips": ("If it answered all: inverse propensity", inverse_propensity(sums)),
        "snips": ("If it answered all: self-normalised", self_normalised(sums)),
        "dr": ("If it answered all: doubly robust", doubly_robust(sums)),
    }
    found = []
    for name, (title, value) in estimates.items():
        if value is not None:
            half = NORMAL * math.sqrt(value.variance)
            sides = {"low": value.mean - half, "high": value.mean + half}
            found.append(figure(name, title, arm, value.mean, n=effective_size(sums), **sides))
    return found
