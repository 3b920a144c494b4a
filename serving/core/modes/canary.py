"""Canary: the challenger answers a small share of clients, then more, step by step, while nothing goes wrong.

The baseline is what the champion answers at the same time: what slows or breaks both is not the challenger's.
Errors and slow answers are counted afresh in each step, because the shares change between them; labels come
late, so those of all steps count, compared within each. `abort_alpha` is shared out evenly over the three
guardrails and, for the two that start afresh, over the steps. Too little data is a reason to wait, never to
fail.
"""

import math
from dataclasses import dataclass, field

from serving.core.modes.base import CHALLENGER, CHAMPION, Action, Figure, Split, State, Verdict, figure, mode
from serving.core.modes.figures import evidence_figure, share
from serving.core.records import Settings, setting
from serving.core.statistics.mean_difference import half_width
from serving.core.statistics.rate_test import log_excess_evidence, null_share
from serving.core.statistics.strata import Stratum, pooled_difference

GUARDRAILS = 3


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
        1.5,
        "Errors allowed",
        "times as many as the champion has of the same number of requests",
        low=1,
        high=100,
    )
    slow_ratio: float = setting(
        2.0,
        "Slow answers allowed",
        "times as many as the champion has; before the canary, 99% of its answers were not slow",
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


@dataclass(frozen=True)
class Traffic:
    """What an arm answered in this step."""

    requests: int = 0
    errors: int = 0  # answers that failed by the server's fault
    slow: int = 0  # slower than 99% of the champion's answers before the canary
    errors_in_a_row: int = 0  # now


@dataclass(frozen=True)
class Evidence:
    step: int = 0
    seconds: float = 0.0  # in this step
    champion: Traffic = field(default_factory=Traffic)
    challenger: Traffic = field(default_factory=Traffic)
    labels: tuple[Stratum, ...] = ()  # mature ones of the audit stream, a stratum for each step so far
    load_failed: bool = False


def split(config: Config, state: State, context: str) -> Split:
    return Split.between(config.steps[state.step])


@mode(
    "canary",
    title="Canary",
    summary="a few clients get the challenger first, and it is taken back by itself if it fails.",
    config=Config,
    evidence=Evidence,
    split=split,
)
def decide(config: Config, evidence: Evidence) -> Verdict:
    challenger, champion = evidence.challenger, evidence.champion
    each = config.abort_alpha / GUARDRAILS
    per_step = each / len(config.steps)
    weight = config.steps[evidence.step]
    logs = {
        "errors": _log_excess(challenger.errors, champion.errors, config.error_ratio, weight, evidence),
        "slow": _log_excess(challenger.slow, champion.slow, config.slow_ratio, weight, evidence),
    }
    found = pooled_difference(evidence.labels)
    figures = _figures(config, evidence, logs, per_step)

    def say(action: Action, rule: str, reason: str, state: State | None = None) -> Verdict:
        return Verdict(action, rule, reason, figures, state)

    if evidence.load_failed:
        return say("roll_back", "load-failed", "The challenger's model cannot be loaded.")
    if challenger.errors_in_a_row >= config.errors_in_a_row > champion.errors_in_a_row:
        return say(
            "roll_back",
            "errors-in-a-row",
            f"The challenger failed {challenger.errors_in_a_row} times in a row.",
        )
    for rule, what in (("errors", "errors"), ("slow", "slow answers")):
        if logs[rule] >= -math.log(per_step):
            return say(
                "roll_back",
                rule,
                f"The challenger has {getattr(challenger, rule)} {what} in {challenger.requests} requests, "
                f"the champion {getattr(champion, rule)} in {champion.requests}.",
            )
    if found and found.n >= 2 * config.min_labels:
        worst = found.difference + half_width(found.variance, found.n, each, _planned(config))
        if worst < 0:
            return say(
                "roll_back", "less-accurate", f"The challenger is at least {-worst:.1%} less accurate."
            )
    waits = _waits(config, evidence)
    if waits:
        return say("hold", "watching", f"Waits for {' and '.join(waits)} at {weight:.0%} of traffic.")
    if evidence.step + 1 < len(config.steps):
        share_next = config.steps[evidence.step + 1]
        return say(
            "advance",
            "step-passed",
            f"No guardrail was passed in {challenger.requests} requests at {weight:.0%}: "
            f"the challenger now gets {share_next:.0%}.",
            State(step=evidence.step + 1),
        )
    if config.min_labels and found:
        least = found.difference - half_width(found.variance, found.n, 2 * config.alpha, _planned(config))
        if least <= -config.accuracy_margin:
            return say(
                "hold",
                "accuracy-open",
                f"Waits for more labels: the challenger may still be {-least:.1%} less accurate, "
                f"and {config.accuracy_margin:.1%} are allowed.",
            )
        proof = f"at most {max(0.0, -least):.1%} less accurate"
    else:
        proof = "no labels were asked for"
    return say("promote", "all-steps-passed", f"Every step was passed without a guardrail; {proof}.")


def _planned(config: Config) -> float:
    return max(200.0, 10.0 * config.min_labels)


def _log_excess(new: int, old: int, ratio: float, weight: float, evidence: Evidence) -> float:
    share_of_events = null_share(evidence.challenger.requests, evidence.champion.requests, weight, ratio)
    return log_excess_evidence(new, old, share_of_events)


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
    return waits


def _figures(
    config: Config, evidence: Evidence, logs: dict[str, float], per_step: float
) -> tuple[Figure, ...]:
    found = []
    level = 1 - config.alpha
    titles = {"errors": "Errors", "slow": "Slow answers"}
    for name, title in titles.items():
        for arm, traffic in ((CHAMPION, evidence.champion), (CHALLENGER, evidence.challenger)):
            found.append(share(name, title, arm, getattr(traffic, name), traffic.requests, level))
        n = getattr(evidence.champion, name) + getattr(evidence.challenger, name)
        found.append(
            evidence_figure(f"Evidence of more {title.lower()}", logs[name], per_step, n, f"{name}-evidence")
        )
    right = {
        CHAMPION: (
            sum(s.champion_right for s in evidence.labels),
            sum(s.champion_labels for s in evidence.labels),
        ),
        CHALLENGER: (
            sum(s.challenger_right for s in evidence.labels),
            sum(s.challenger_labels for s in evidence.labels),
        ),
    }
    found += [share("accuracy", "Right", arm, *counts, level) for arm, counts in right.items()]
    pooled = pooled_difference(evidence.labels)
    if pooled:
        half = half_width(pooled.variance, pooled.n, config.alpha, _planned(config))
        low, high = pooled.difference - half, pooled.difference + half
        found.append(
            figure("accuracy", "Right", "difference", pooled.difference, low=low, high=high, n=pooled.n)
        )
    return tuple(found)
