"""Canary: the challenger answers a small share of clients, then more, step by step, while nothing goes wrong.

The baseline is what the champion answers at the same time: what slows or breaks both is not the challenger's.
An image that fails counts once, and of the challenger's only where the champion can answer it; only answers
to one image alone can be slow, for a batch's time is that of all its images. Errors and slow answers are
counted afresh in each step, because the shares change between them, and within it from many moments at once,
so that a burst is found after hours much as it is at the start; labels come late, so those of all steps
count, compared within each; an answer that failed is a wrong one. A unit's labels are alike, so the noise is
that between units, of which some must be in each arm. `abort_alpha` is shared out over the guardrails, and
for the two that start afresh over the steps, the first half of it to the first step, which has the least to
go by. Too little data is a reason to wait, never to fail.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from serving.core.modes.base import CHALLENGER, CHAMPION, Figure, Outlook, Split, State, Verdict, figure, mode
from serving.core.modes.figures import evidence_figure, share, weighted_shares
from serving.core.records import Settings, setting
from serving.core.statistics.burst import BLOCKS, RECENT, log_since_any
from serving.core.statistics.mean_difference import half_width
from serving.core.statistics.rate_test import log_excess
from serving.core.statistics.sample_size import labels_by_arms
from serving.core.statistics.strata import (
    Difference,
    Stratum,
    UnitSpread,
    by_units,
    counts_of,
    pooled_difference,
)
from serving.core.statistics.weighting import WeightedSums

SPENT = {"errors": 0.5, "slow": 0.25, "accuracy": 0.25}  # of abort_alpha
SURE = 100  # labels of both arms, before the accuracy can end a canary


@dataclass(frozen=True)
class Config(Settings):
    steps: tuple[float, ...] = setting(
        (0.05, 0.25, 0.5),
        "Steps",
        "share of clients the challenger answers, one step after another",
        low=0.001,
        high=0.9,
    )
    hold_seconds: int = setting(
        600, "Least seconds a step", "however much traffic there is", low=0, high=10**7
    )
    min_requests: int = setting(500, "Least requests a step", "answered by the challenger", low=1, high=10**9)
    error_ratio: float = setting(
        1.0,
        "Errors allowed",
        "times as many as the champion has of the same number of requests",
        low=1,
        high=100,
    )
    slow_ratio: float = setting(
        2.0,
        "Slow answers allowed",
        "to requests of one image, times as many as the champion has; before the canary, 99% of its answers "
        "were not slow",
        low=1,
        high=100,
    )
    accuracy_margin: float = setting(
        0.05, "May be less accurate by", "proven at most this much worse, it is promoted", low=0.001, high=0.5
    )
    min_labels: int = setting(
        50, "Least labels", "of the challenger's answers; 0: labels are not waited for", low=0, high=10**7
    )
    errors_in_a_row: int = setting(
        10, "Errors in a row", "of the challenger, that end it at once", low=2, high=10**4
    )
    abort_alpha: float = setting(
        0.01, "Chance of a false rollback", "of a challenger as good as the champion", low=0.0001, high=0.2
    )
    alpha: float = setting(
        0.05, "Chance of a false promotion", "of a less accurate one", low=0.0001, high=0.2
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.steps or list(self.steps) != sorted(set(self.steps)):
            raise ValueError("Steps must be at least one share of traffic, each larger than the one before.")

    def level(self, guardrail: str, step: int) -> float:
        """What this guardrail may err by in this step; 1/2 + 1/4 + ... of its part of `abort_alpha`."""
        share = 1.0 if guardrail == "accuracy" else 0.5 ** (step + 1)
        return self.abort_alpha * SPENT[guardrail] * share

    @property
    def block_seconds(self) -> float:
        """The moments that errors are counted from are so far apart."""
        return min(60.0, max(5.0, self.hold_seconds / BLOCKS))

    @property
    def planned_labels(self) -> float:
        return max(200.0, 10.0 * self.min_labels)


@dataclass(frozen=True)
class Traffic:
    """What an arm answered in this step."""

    requests: int = 0  # one an image
    # Images that failed when they were first sent; of the challenger, that the champion could answer.
    errors: int = 0
    slow: int = 0  # slower than 99% of the champion's answers before the canary
    errors_in_a_row: int = 0  # now
    # Of how many `errors` and `slow` are. None in decisions from before: of all that was answered.
    images: int | None = None  # each once, however often it was sent
    timed: int | None = None  # answers to requests of one image

    def asked(self, what: str) -> int:
        """How many could have been this."""
        known = {"errors": self.images, "slow": self.timed}[what]
        return self.requests if known is None else known


@dataclass(frozen=True)
class Block:
    """What was answered in one block of time."""

    number: int  # since the step began, from 0
    champion: Traffic = field(default_factory=Traffic)
    challenger: Traffic = field(default_factory=Traffic)


@dataclass(frozen=True)
class Evidence:
    step: int = 0
    seconds: float = 0.0  # in this step
    champion: Traffic = field(default_factory=Traffic)
    challenger: Traffic = field(default_factory=Traffic)
    labels: tuple[Stratum, ...] = ()  # mature ones of the audit stream, a stratum for each step so far
    load_failed: bool = False
    # The newest. Decisions from before there were blocks have none, and count from the beginning.
    blocks: tuple[Block, ...] = ()
    weighted: dict[str, WeightedSums] = field(default_factory=dict)  # by arm: unevenly drawn labels too
    # Of the labels. Decisions from before units were counted have none: each label was taken for one.
    units: UnitSpread | None = None


def split(config: Config, state: State, context: str) -> Split:
    return Split.between(config.steps[state.step])


def labels_needed(config: Config, outlook: Outlook) -> int:
    """Of the last step, to prove a challenger that is as accurate not to be worse by the margin."""
    if config.min_labels == 0:
        return 0
    share_then, margin = config.steps[-1], min(config.accuracy_margin, outlook.accuracy)
    wanted = labels_by_arms(outlook.accuracy, -margin, 2 * config.alpha, share_then)
    return max(wanted, math.ceil(config.min_labels / share_then))


def needs(config: Config, outlook: Outlook, labels: int) -> str:
    if not labels:
        return "It needs no labels."
    return (
        f"About {labels:,} labels are enough to be sure that a version is at most "
        f"{config.accuracy_margin * 100:g} points worse than the champion, if it is as good."
    )


@mode(
    "canary",
    title="Canary",
    summary="a few clients get the challenger first, and it is taken back by itself if it fails.",
    config=Config,
    evidence=Evidence,
    split=split,
    labels_needed=labels_needed,
    needs=needs,
)
def decide(config: Config, evidence: Evidence) -> Verdict:
    logs = {
        "errors": _log_excess("errors", config.error_ratio, config, evidence),
        "slow": _log_excess("slow", config.slow_ratio, config, evidence),
    }
    labels = by_units(pooled_difference(counts_of(evidence.labels)), evidence.units)
    figures = tuple(_figures(config, evidence, logs, labels))
    tripped = _tripped(config, evidence, logs, labels)
    if tripped:
        return Verdict("roll_back", *tripped, figures)
    waits = _waits(config, evidence)
    share_now = config.steps[evidence.step]
    if waits:
        reason = f"Waits for {' and '.join(waits)} at {share_now:.0%} of traffic."
        return Verdict("hold", "watching", reason, figures)
    if evidence.step + 1 < len(config.steps):
        reason = (
            f"No guardrail was passed in {evidence.challenger.requests} requests at {share_now:.0%}: "
            f"the challenger now gets {config.steps[evidence.step + 1]:.0%}."
        )
        return Verdict("advance", "step-passed", reason, figures, State(step=evidence.step + 1))
    if config.min_labels == 0:
        reason = "Every step was passed without a guardrail; no labels were asked for."
        return Verdict("promote", "all-steps-passed", reason, figures)
    worst = _half(labels, 2 * config.alpha, config) - float(labels.difference)  # one-sided
    if worst >= config.accuracy_margin:
        reason = (
            f"Waits for more labels: the challenger may still be {worst:.1%} less accurate, "
            f"and {config.accuracy_margin:.1%} are allowed."
        )
        return Verdict("hold", "accuracy-open", reason, figures)
    reason = f"Every step was passed without a guardrail; it is at most {max(0.0, worst):.1%} less accurate."
    return Verdict("promote", "all-steps-passed", reason, figures)


def _tripped(
    config: Config, evidence: Evidence, logs: dict[str, float], labels: Difference
) -> tuple[str, str] | None:
    """Rule and reason of a rollback."""
    new, old = evidence.challenger, evidence.champion
    if evidence.load_failed:
        return "load-failed", "The challenger's model cannot be loaded."
    if new.errors_in_a_row >= config.errors_in_a_row > old.errors_in_a_row:
        return "errors-in-a-row", f"The challenger failed {new.errors_in_a_row} times in a row."
    for rule, what in (("errors", "errors"), ("slow", "slow answers")):
        if logs[rule] >= -math.log(config.level(rule, evidence.step)):
            return rule, (
                f"The challenger has {getattr(new, rule)} {what} in {new.asked(rule)} requests, "
                f"the champion {getattr(old, rule)} in {old.asked(rule)}."
            )
    best = float(labels.difference) + _half(labels, config.level("accuracy", evidence.step), config)
    few = labels.n < max(SURE, 2 * config.min_labels) or (evidence.units and evidence.units.missing)
    if not few and best < 0:
        return "less-accurate", f"The challenger is at least {-best:.1%} less accurate."
    return None


def _half(labels: Difference, alpha: float, config: Config) -> float:
    return float(half_width(labels.variance, labels.n, alpha, config.planned_labels)) if labels.n else 1.0


def _log_excess(what: str, ratio: float, config: Config, evidence: Evidence) -> float:
    new, old = evidence.challenger, evidence.champion
    all_of_it = np.array(_counts(what, new, old), float)
    share_now = config.steps[evidence.step]
    if not evidence.blocks:
        return float(log_excess(all_of_it[None], share_now, ratio)[0])
    last = max(block.number for block in evidence.blocks)
    first = max(1, last - RECENT + 1)
    numbers = np.array([0, *range(first, last + 1)])
    counts = np.zeros((len(numbers), 4))
    for block in evidence.blocks:
        if block.number >= first:
            counts[1 + block.number - first] += _counts(what, block.challenger, block.champion)
    counts[0] = np.maximum(0, all_of_it - counts[1:].sum(axis=0))
    return float(log_since_any(counts, numbers, lambda since: log_excess(since, share_now, ratio)))


def _counts(what: str, new: Traffic, old: Traffic) -> tuple[int, int, int, int]:
    return new.asked(what), old.asked(what), getattr(new, what), getattr(old, what)


def _waits(config: Config, evidence: Evidence) -> list[str]:
    waits = []
    left = config.hold_seconds - evidence.seconds
    if left > 0:
        waits.append(f"{left / 60:.0f} more minutes" if left >= 120 else f"{left:.0f} more seconds")
    requests = config.min_requests - evidence.challenger.requests
    if requests > 0:
        waits.append(f"{requests} more requests")
    last = evidence.step + 1 == len(config.steps)
    labels = config.min_labels - sum(one.challenger_labels for one in evidence.labels)
    if last and labels > 0:
        waits.append(f"{labels} more labels of its answers")
    units = evidence.units.missing if evidence.units else 0
    if last and config.min_labels and labels <= 0 < units:
        waits.append(f"labels of {units} more units in each arm")
    return waits


def _figures(
    config: Config, evidence: Evidence, logs: dict[str, float], labels: Difference
) -> Iterable[Figure]:
    level = 1 - config.alpha
    for name, title in (("errors", "Errors"), ("slow", "Slow answers")):
        for arm, traffic in ((CHAMPION, evidence.champion), (CHALLENGER, evidence.challenger)):
            yield share(name, title, arm, getattr(traffic, name), traffic.asked(name), level)
        events = getattr(evidence.champion, name) + getattr(evidence.challenger, name)
        told = f"Evidence of more {title.lower()}"
        yield evidence_figure(told, logs[name], config.level(name, evidence.step), events, f"{name}-evidence")
    x, n, y, m = counts_of(evidence.labels).sum(axis=0).tolist()
    yield share("accuracy", "Right", CHAMPION, x, n, level)
    yield share("accuracy", "Right", CHALLENGER, y, m, level)
    yield from weighted_shares(evidence.weighted)
    if labels.n:
        middle, half = float(labels.difference), _half(labels, config.alpha, config)
        sides = {"low": middle - half, "high": middle + half, "n": float(labels.n)}
        yield figure("accuracy", "Right", "difference", middle, **sides)
