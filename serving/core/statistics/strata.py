"""A difference of success rates over periods whose traffic was split differently."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

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
