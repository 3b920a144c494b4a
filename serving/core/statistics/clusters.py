"""Labels of the same unit are alike: how many units do they come from?"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Of each arm, before a difference is told from chance: the variance between fewer is hardly known, and one
# that is easy or hard looks like a better or a worse arm.
LEAST_UNITS = 20


def sums_over(unit: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) numbers of units from 0 and (n,) values -> (units,)"""
    return np.bincount(unit, values).astype(np.float64)


def effective_units(weights: NDArray[np.float64]) -> float:
    """(sum W)^2 / sum W^2 of the units' weights W (units,): so many that weigh alike are worth as much (Kish
    1965). Many of which one sends nearly everything are hardly more than one.
    """
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def units_missing(least: float | None) -> int:
    """Of the arm with fewer. None: it was not counted then, and nothing is missing."""
    return 0 if least is None else max(0, math.ceil(LEAST_UNITS - least))


@dataclass(frozen=True)
class UnitSums:
    """Sums over the units that labels come from, of products of what each adds up: N labels, W of w, R of w r
    (w y of weighted labels, which have no more than WW, WR and RR), P of phi.
    """

    units: int = 0
    nn: float = 0.0
    nr: float = 0.0
    rr: float = 0.0
    ww: float = 0.0
    wr: float = 0.0
    np: float = 0.0
    pp: float = 0.0

    def around(self, square: float, product: float, other: float, mean: float) -> float:
        """The sum over units of (A - mean B)^2, from those of A^2, A B and B^2; between a few units it is as
        much too small as a sample's variance.
        """
        few = self.units / (self.units - 1) if self.units > 1 else 1.0
        return few * max(0.0, square - 2 * mean * product + mean**2 * other)
