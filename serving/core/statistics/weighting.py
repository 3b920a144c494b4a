"""Means of labels that were not drawn evenly, corrected by the chance each had to be drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class WeightedSums:
    """Sums over labels of weight w = 1 / inclusion probability and outcome y."""

    n: int = 0
    w: float = 0.0
    wy: float = 0.0
    w2: float = 0.0  # sum of w^2
    w2y: float = 0.0
    w2yy: float = 0.0

    @classmethod
    def of(cls, outcome: NDArray[np.float64], weight: NDArray[np.float64]) -> "WeightedSums":
        """Of arrays (n,)."""
        w2 = weight**2
        sums = (weight, weight * outcome, w2, w2 * outcome, w2 * outcome**2)
        return cls(len(outcome), *(float(one.sum()) for one in sums))

    @property
    def mean(self) -> float | None:
        """sum(y / pi) / sum(1 / pi): Hajek's estimate (1971)."""
        return self.wy / self.w if self.w else None

    @property
    def variance(self) -> float:
        """Of the mean, by linearisation: sum(w^2 (y - mean)^2) / (sum w)^2."""
        if self.mean is None:
            return float("inf")
        return max(0.0, self.w2yy - 2 * self.mean * self.w2y + self.mean**2 * self.w2) / self.w**2

    @property
    def effective(self) -> float:
        """(sum w)^2 / sum w^2: how many evenly drawn labels are worth as much (Kish 1965)."""
        return self.w**2 / self.w2 if self.w2 else 0.0
