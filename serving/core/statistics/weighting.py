"""Means of labels that were not drawn evenly, corrected by the chance each had to be drawn."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from serving.core.statistics.clusters import UnitSums, sums_over


@dataclass(frozen=True)
class WeightedSums:
    """Sums over labels of weight w = 1 / inclusion probability and outcome y."""

    n: int = 0
    w: float = 0.0
    wy: float = 0.0
    w2: float = 0.0  # sum of w^2
    w2y: float = 0.0
    w2yy: float = 0.0
    # Decisions from before units were counted have none: each label was taken for one.
    by_unit: UnitSums | None = None

    @classmethod
    def of(
        cls,
        outcome: NDArray[np.float64],
        weight: NDArray[np.float64],
        unit: NDArray[np.int64] | None = None,
    ) -> "WeightedSums":
        """Of arrays (n,); `unit` is the number from 0 of whom each comes from, without which each is one of
        its own.
        """
        w2 = weight**2
        sums = (weight, weight * outcome, w2, w2 * outcome, w2 * outcome**2)
        of_w, of_wy, of_w2, w2y, w2yy = (float(one.sum()) for one in sums)
        found = cls(len(outcome), of_w, of_wy, of_w2, w2y, w2yy)
        if unit is None:
            return found
        w, wy = sums_over(unit, weight), sums_over(unit, weight * outcome)
        rr, ww, wr = (float(one.sum()) for one in (wy * wy, w * w, w * wy))
        return replace(found, by_unit=UnitSums(int((w > 0).sum()), rr=rr, ww=ww, wr=wr))

    @property
    def mean(self) -> float | None:
        """sum(y / pi) / sum(1 / pi): Hajek's estimate (1971)."""
        return self.wy / self.w if self.w else None

    @property
    def variance(self) -> float:
        """Of the mean, by linearisation: sum(w^2 (y - mean)^2) / (sum w)^2. Where units are known, of
        the squares of the sums over each, for what a unit sends is alike (Liang and Zeger 1986); infinite
        where there is one unit, which does not tell it.
        """
        if self.mean is None:
            return float("inf")
        if (of := self.by_unit) is not None:
            return of.around(of.rr, of.wr, of.ww, self.mean) / self.w**2 if of.units > 1 else float("inf")
        return max(0.0, self.w2yy - 2 * self.mean * self.w2y + self.mean**2 * self.w2) / self.w**2

    @property
    def effective(self) -> float:
        """(sum w)^2 / sum w^2: how many evenly drawn labels are worth as much (Kish 1965)."""
        return self.w**2 / self.w2 if self.w2 else 0.0

    def half_width(self, level: float = 0.95) -> float:
        """Of an interval around the mean that holds with `level` at one look: by the normal law, and where
        units are known, by Student's with as many as weigh alike, which are few where one sends nearly all.
        Of 8 units that are mostly easy and rarely hard, 9 in 10 hold instead of 95%; of 60 they do.
        """
        if (of := self.by_unit) is None:
            freedom = float("inf")
        else:
            freedom = max(1.0, self.w**2 / of.ww - 1) if of.ww else 1.0
        return float(stdtrit(freedom, (1 + level) / 2)) * math.sqrt(self.variance)
