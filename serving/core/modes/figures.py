"""Figures that several modes show."""

import math
from collections.abc import Mapping

from learning.core.confidence_sequence import anytime_interval
from serving.core.modes.base import CHALLENGER, CHAMPION, Figure, figure
from serving.core.modes.failures import Failures
from serving.core.statistics.mean_difference import half_width
from serving.core.statistics.weighting import WeightedSums

NORMAL = 1.96  # of the intervals that are only shown, and say so by the word "weighted" or "off-policy"
_MOST = 300.0  # powers of ten of evidence that are told


def share(name: str, title: str, arm: str, count: float, n: float, level: float) -> Figure:
    """`count` of `n`, with an interval that holds at every look."""
    if n == 0:
        return figure(name, title, arm, None)
    low, high = anytime_interval(count, n, level)
    return figure(name, title, arm, count / n, low=low, high=high, n=float(n))


def weighted_share(name: str, title: str, arm: str, sums: WeightedSums) -> Figure:
    """Hajek's estimate, with an interval of one look: a normal one where no units were counted."""
    if sums.mean is None:
        return figure(name, title, arm, None)
    half = NORMAL * math.sqrt(sums.variance) if sums.by_unit is None else sums.half_width()
    return figure(name, title, arm, sums.mean, low=sums.mean - half, high=sums.mean + half, n=sums.effective)


def weighted_shares(sums: Mapping[str, WeightedSums]) -> list[Figure]:
    """For each arm that has labels; none for evidence from before such labels counted."""
    title = "Right, all labels, weighted"
    return [
        weighted_share("weighted", title, arm, sums[arm])
        for arm in (CHAMPION, CHALLENGER)
        if arm in sums and sums[arm].n
    ]


def evidence_figure(title: str, log_e: float, alpha: float, n: float, name: str = "evidence") -> Figure:
    """log10 of the odds against "no difference", and where they decide."""
    told = max(-_MOST, min(_MOST, log_e / math.log(10)))
    return figure(name, title, "", told, limit=-math.log10(alpha), n=float(n), unit="log10")


def errors_figure(failures: Failures, level: float) -> list[Figure]:
    """None for evidence from before they were counted."""
    asked = failures.answered + failures.errors
    return [share("failures", "Failed answers", CHALLENGER, failures.errors, asked, level)] if asked else []


def odds(log_e: float, alpha: float) -> str:
    """Evidence in words, for what a rollout waits for."""
    return f"which is {math.exp(min(log_e, 700)):.2g} to 1, and {1 / alpha:g} to 1 decides"


def paired_difference(
    only_new: int, only_old: int, labels: int, alpha: float, planned: float
) -> tuple[float, float]:
    """How much more the challenger has right, as a share of all labels, and the half width around it."""
    if labels == 0:
        return 0.0, 1.0
    difference = (only_new - only_old) / labels
    # A pair more on each side: no variance of 0 from a few labels that do not tell.
    spread = (only_new + only_old + 2) / (labels + 2) - difference**2
    return difference, float(half_width(spread / labels, labels, alpha, planned))
