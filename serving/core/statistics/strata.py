"""A difference of success rates over periods whose traffic was split differently."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Stratum:
    """Labels of one period, in which the shares of traffic stayed as they were."""

    champion_right: int = 0
    champion_labels: int = 0
    challenger_right: int = 0
    challenger_labels: int = 0


@dataclass(frozen=True)
class Difference:
    difference: float  # challenger - champion
    variance: float
    n: float  # labels of both


def pooled_difference(strata: Sequence[Stratum]) -> Difference | None:
    """sum(w d) / sum(w), w = n m / (n + m): the Mantel-Haenszel risk difference (Greenland and Robins 1985).
    A period that was hard for both counts within itself only. None without a period that has both arms.
    """
    weights = total = variance = n = 0.0
    for one in strata:
        if one.champion_labels and one.challenger_labels:
            both = one.champion_labels + one.challenger_labels
            weight = one.champion_labels * one.challenger_labels / both
            p, p_spread = _rate(one.champion_right, one.champion_labels)
            q, q_spread = _rate(one.challenger_right, one.challenger_labels)
            weights += weight
            total += weight * (q - p)
            variance += weight**2 * (p_spread / one.champion_labels + q_spread / one.challenger_labels)
            n += both
    return Difference(total / weights, variance / weights**2, n) if weights else None


def _rate(right: int, labels: int) -> tuple[float, float]:
    """The share, and its spread p (1 - p) with one answer more on each side (Agresti and Caffo 2000): a few
    right answers are not certainty.
    """
    p = (right + 1) / (labels + 2)
    return right / labels, p * (1 - p)
