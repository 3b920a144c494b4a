"""A/B: clients are divided for good, and the arms' figures are compared until they differ for sure.

One observation is one unit (a client's key, or an item where there are few clients): a unit's labels are
averaged first, because they are not independent. Labels are those of the audit stream, or other labels drawn
without regard to the arm; an answer that failed is a wrong one. x, the champion's confidence in its own
answer to the same image, narrows the intervals (CUPED).
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

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
    mode,
)
from serving.core.modes.failures import RULES, Failures, failing, levels, max_errors
from serving.core.modes.figures import NORMAL, errors_figure, evidence_figure, weighted_shares
from serving.core.records import Settings, setting
from serving.core.statistics.cuped import Moments, adjusted_difference, mean_and_variance
from serving.core.statistics.holm import holm
from serving.core.statistics.mean_difference import anytime_p, half_width
from serving.core.statistics.sample_ratio import log_mismatch_evidence
from serving.core.statistics.sample_size import labels_by_arms
from serving.core.statistics.weighting import WeightedSums

MISMATCH = 0.001  # chance of taking arms for mixed up that are not


class Metric(NamedTuple):
    title: str
    unit: str
    higher_is_better: bool


METRICS = {
    "accuracy": Metric("Right", "share", True),
    "listed": Metric("Right label among those listed", "share", True),
    "errors": Metric("Errors", "share", False),
    "latency": Metric("Latency", "ms", False),
}


@dataclass(frozen=True)
class Config(Settings):
    share: float = setting(0.5, "Share of clients", "that the challenger answers", low=0.01, high=0.9)
    metrics: tuple[str, ...] = setting(
        ("accuracy",),
        "Metrics",
        "the first decides, and none of the others may get worse",
        choices=tuple(METRICS),
    )
    alpha: float = setting(
        0.05,
        "Chance of a wrong decision",
        "over all metrics, however often they are looked at",
        low=0.0001,
        high=0.2,
    )
    min_units: int = setting(
        100, "Least units an arm", "with a label, before anything is decided", low=20, high=10**7
    )
    planned_units: int = setting(
        4000, "Planned units", "of both arms: there the intervals are narrowest", low=40, high=10**8
    )
    max_units: int = setting(
        20_000, "Most units", "without a decision, a person is asked", low=40, high=10**9
    )
    max_errors: float = max_errors()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.metrics or len(set(self.metrics)) < len(self.metrics):
            raise ValueError("Metrics must be at least one, and none twice.")
        if self.max_units < self.planned_units:
            raise ValueError(f"Most units must be at least the {self.planned_units} planned ones.")

    def planned(self, arm: str) -> float:
        """Units of the arm, where its own interval is narrowest."""
        return self.planned_units * Split.between(self.share).weights[arm]


@dataclass(frozen=True)
class Measured:
    champion: Moments = field(default_factory=Moments)
    challenger: Moments = field(default_factory=Moments)


@dataclass(frozen=True)
class Evidence:
    units: dict[str, int] = field(default_factory=dict)  # by arm: all that were assigned, labelled or not
    metrics: dict[str, Measured] = field(default_factory=dict)  # those of the config
    weighted: dict[str, WeightedSums] = field(default_factory=dict)  # by arm: unevenly drawn labels too
    failures: Failures = field(default_factory=Failures)
    rules: int = 1  # see `failures.RULES`


class _Compared(NamedTuple):
    n: int  # units of both arms
    difference: float
    half: float
    p: float  # adjusted for the number of metrics
    saved: float  # the share of the variance that x explains
    better: bool


def split(config: Config, state: State, context: str) -> Split:
    return Split.between(config.share)


def labels_needed(config: Config, outlook: Outlook) -> int:
    alpha = levels(config.alpha, RULES).compared / len(config.metrics)  # the first of Holm's steps
    wanted = labels_by_arms(outlook.accuracy, outlook.difference, alpha, config.share)
    return max(wanted, math.ceil(config.min_units / min(config.share, 1 - config.share)))


@mode(
    "ab",
    title="A/B test",
    summary="clients are divided for good; best when what becomes of a client matters, not only an answer.",
    config=Config,
    evidence=Evidence,
    split=split,
    labels_needed=labels_needed,
)
def decide(config: Config, evidence: Evidence) -> Verdict:
    mismatch = log_mismatch_evidence(evidence.units, Split.between(config.share).weights)
    level = levels(config.alpha, evidence.rules)
    least = min(_least(evidence.metrics.get(name, Measured())) for name in config.metrics)
    compared = _compare(config, evidence)
    figures = _figures(config, evidence, compared, mismatch)

    def say(action: Action, rule: str, reason: str) -> Verdict:
        return Verdict(action, rule, reason, figures)

    failed = failing(evidence.failures, config.max_errors, level.errors)
    if failed:
        return say("roll_back", *failed)
    if mismatch >= -math.log(MISMATCH):
        counts = evidence.units.get(CHALLENGER, 0), sum(evidence.units.values())
        return say(
            "hold",
            "sample-ratio",
            f"The challenger has {counts[0]} of {counts[1]} units instead of {config.share:.0%}: "
            "find out who is not counted before you trust any figure.",
        )
    if least < config.min_units:
        return say(
            "hold",
            "few-units",
            f"Waits for labels: {least} of at least {config.min_units} units an arm have one.",
        )
    decisive = [name for name in config.metrics if compared[name].p <= level.compared]
    worse = [name for name in decisive if not compared[name].better]
    if worse:
        return say("roll_back", "worse", f"The challenger is worse: {_told(worse[0], compared[worse[0]])}.")
    first = compared[config.metrics[0]]
    if first.p <= level.compared:
        return say("promote", "better", f"The challenger is better: {_told(config.metrics[0], first)}.")
    told = _told(config.metrics[0], first)
    if first.n >= config.max_units:
        return say(
            "hold", "undecided", f"After {first.n} units neither is proven better ({told}): decide yourself."
        )
    return say("hold", "watching", f"Waits for more labels: {told}, which may be chance (p {first.p:.2g}).")


def _least(measured: Measured) -> int:
    return min(measured.champion.n, measured.challenger.n)


def _compare(config: Config, evidence: Evidence) -> dict[str, _Compared]:
    known = {name: evidence.metrics.get(name, Measured()) for name in config.metrics}
    known = {name: one for name, one in known.items() if _least(one) >= 2}
    found = {name: adjusted_difference(one.champion.sums, one.challenger.sums) for name, one in known.items()}
    n = {name: one.champion.n + one.challenger.n for name, one in known.items()}
    alpha, planned = levels(config.alpha, evidence.rules).compared, config.planned_units
    p = [
        float(anytime_p(one.difference, one.variance, n[name], alpha, planned)) for name, one in found.items()
    ]
    return {
        name: _Compared(
            n=n[name],
            difference=float(one.difference),
            half=float(half_width(one.variance, n[name], alpha, planned)),
            p=adjusted,
            saved=1 - float(one.variance / one.plain) if one.plain else 0.0,
            better=bool(one.difference > 0) == METRICS[name].higher_is_better,
        )
        for (name, one), adjusted in zip(found.items(), holm(p), strict=True)
    }


def _told(name: str, one: _Compared) -> str:
    metric = METRICS[name]
    middle, low, high = one.difference, one.difference - one.half, one.difference + one.half
    if metric.unit == "share":
        return f"{metric.title.lower()} {middle:+.1%} ({low:+.1%} to {high:+.1%})"
    return f"{metric.title.lower()} {middle:+.1f} {metric.unit} ({low:+.1f} to {high:+.1f})"


def _figures(
    config: Config, evidence: Evidence, compared: dict[str, _Compared], mismatch: float
) -> tuple[Figure, ...]:
    found: list[Figure] = []
    level = levels(config.alpha, evidence.rules).compared
    for name, one in compared.items():
        title, unit, _ = METRICS[name]
        measured = evidence.metrics[name]
        for arm, moments in ((CHAMPION, measured.champion), (CHALLENGER, measured.challenger)):
            mean, variance = map(float, mean_and_variance(moments.sums))
            # What an arm's figures were before: of one look.
            half = NORMAL * math.sqrt(variance)
            if evidence.rules > 1:
                half = float(half_width(variance, moments.n, config.alpha, config.planned(arm)))
            sides = {"low": mean - half, "high": mean + half, "n": float(moments.n)}
            found.append(figure(name, title, arm, mean, unit=unit, **sides))
        sides = {"low": one.difference - one.half, "high": one.difference + one.half, "n": float(one.n)}
        found.append(figure(name, title, "difference", one.difference, unit=unit, **sides))
        found.append(figure(f"{name}-p", f"{title}: p", "", one.p, limit=level, n=float(one.n), unit=""))
        saved = f"{title}: noise that the champion's confidence explains"
        found.append(figure(f"{name}-saved", saved, "", one.saved, n=float(one.n)))
    found += weighted_shares(evidence.weighted)
    found += errors_figure(evidence.failures, 1 - config.alpha)
    units = sum(evidence.units.values())
    found.append(evidence_figure("Evidence of a wrong split", mismatch, MISMATCH, units, "sample-ratio"))
    return tuple(found)
