"""A difference of success rates over periods whose traffic was split differently."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from serving.core.statistics.clusters import effective_units, sums_over, units_missing

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Stratum:
    """Labels of one period, in which the shares of traffic stayed as they were."""

    champion_right: int = 0
    champion_labels: int = 0
    challenger_right: int = 0
    challenger_labels: int = 0


@dataclass(frozen=True)
class Difference:
    difference: Floats  # challenger - champion; 0 where no period has both
    variance: Floats
    n: Floats  # labels of both, in the periods that have both


@dataclass(frozen=True)
class UnitSpread:
    """How much the units of the labels differ, for `by_units`."""

    # The sum, over units, of the square of what a unit adds to the pooled difference in all periods: it keeps
    # its arm as a share widens, and what it sends is alike.
    variance: float = 0.0
    champion: float = 0.0  # `effective_units` of the labels, as these weigh in the difference
    challenger: float = 0.0

    @classmethod
    def of(
        cls,
        period: NDArray[np.int64],
        challenger: NDArray[np.bool_],
        right: NDArray[np.bool_],
        unit: NDArray[np.int64],
    ) -> "UnitSpread":
        """Of labels (n,): their period and unit, as numbers from 0, who answered, and whether it was right.

        A label of the challenger adds w (y - mean) / m to the difference, one of the champion -w (x - mean)
        / n, both over sum(w), with the means, m and n of its period, and w as in `pooled_difference`.
        """
        n, m = np.bincount(period, ~challenger), np.bincount(period, challenger)
        x, y = (np.bincount(period, right & who) for who in (~challenger, challenger))
        w = np.where((n > 0) & (m > 0), n * m / np.maximum(n + m, 1), 0)
        many = np.where(challenger, m[period], n[period])
        weight = w[period] / many
        residual = right - np.where(challenger, y[period], x[period]) / many
        score = sums_over(unit, np.where(challenger, weight, -weight) * residual)
        of_arms = (sums_over(unit, weight * who) for who in (~challenger, challenger))
        variance = float((score**2).sum() / max(1e-300, w.sum() ** 2))
        return cls(variance, *map(effective_units, of_arms))

    @property
    def least(self) -> float:
        return min(self.champion, self.challenger)

    @property
    def missing(self) -> int:
        return units_missing(self.least)


def by_units(found: Difference, spread: UnitSpread | None) -> Difference:
    """With the variance between units where that is larger (Liang and Zeger 1986), as it is where labels of
    a unit are alike, corrected for few units as a sample's variance is; one unit does not tell it. None:
    each label is a unit of its own.
    """
    if spread is None:
        return found
    between = spread.variance * spread.least / (spread.least - 1) if spread.least > 1 else np.inf
    return replace(found, variance=np.maximum(found.variance, between))


def counts_of(strata: Sequence[Stratum]) -> Floats:
    """(S, 4)"""
    return np.array([astuple(one) for one in strata], float).reshape(-1, 4)


def pooled_difference(counts: Floats) -> Difference:
    """sum(w d) / sum(w), w = n m / (n + m): the Mantel-Haenszel risk difference (Greenland and Robins 1985).
    A period that was hard for both counts within itself only. (..., S, 4), as in Stratum -> (...).

    The variance takes each share with one answer more on each side (Agresti and Caffo 2000): a few right
    answers are not certainty.
    """
    x, n, y, m = np.moveaxis(counts, -1, 0)
    both = (n > 0) & (m > 0)
    n, m = np.where(both, n, 1), np.where(both, m, 1)
    weight = np.where(both, n * m / (n + m), 0)
    spread = _spread(x, n) + _spread(y, m)
    total = np.where(both.any(axis=-1), weight.sum(axis=-1), 1)
    return Difference(
        difference=(weight * (y / m - x / n)).sum(axis=-1) / total,
        variance=(weight**2 * spread).sum(axis=-1) / total**2,
        n=np.where(both, n + m, 0).sum(axis=-1),
    )


def _spread(right: Floats, labels: Floats) -> Floats:
    share = (right + 1) / (labels + 2)
    return share * (1 - share) / (labels + 2)
