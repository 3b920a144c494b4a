"""What would an arm be worth if it answered everything? From labels that other shares of traffic left."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class OffPolicySums:
    """Sums over all labelled predictions, whichever arm answered: w = 1 / propensity where the arm in
    question answered, else 0; r the reward (1: right); q what was expected of this arm there (0 where
    nothing was); phi = q + w (r - q).
    """

    n: int = 0
    w: float = 0.0
    wr: float = 0.0
    w2: float = 0.0
    w2r: float = 0.0
    w2rr: float = 0.0
    phi: float = 0.0
    phi2: float = 0.0

    @classmethod
    def of(
        cls,
        answered: NDArray[np.bool_],
        propensity: NDArray[np.float64],
        reward: NDArray[np.float64],
        expected: NDArray[np.float64],
    ) -> "OffPolicySums":
        """Of arrays (n,); `propensity` is that of the arm in question, also where another answered."""
        w = answered / propensity
        phi = expected + w * (reward - expected)
        sums = (w, w * reward, w**2, w**2 * reward, w**2 * reward**2, phi, phi**2)
        return cls(len(w), *(float(one.sum()) for one in sums))


@dataclass(frozen=True)
class Value:
    """An estimate and its variance."""

    mean: float
    variance: float


def inverse_propensity(sums: OffPolicySums) -> Value:
    """sum(w r) / n: unbiased (Horvitz and Thompson 1952), and wild where propensities are small."""
    mean = sums.wr / sums.n
    return Value(mean, max(0.0, sums.w2rr / sums.n - mean**2) / sums.n)


def self_normalised(sums: OffPolicySums) -> Value | None:
    """sum(w r) / sum(w) (Swaminathan and Joachims 2015): never outside of the rewards. None without any."""
    if not sums.w:
        return None
    mean = sums.wr / sums.w
    return Value(mean, max(0.0, sums.w2rr - 2 * mean * sums.w2r + mean**2 * sums.w2) / sums.w**2)


def doubly_robust(sums: OffPolicySums) -> Value:
    """The mean of phi (Dudik, Langford and Li 2011): unbiased if the propensities are right, whatever was
    expected, and the less noisy the better that was.
    """
    mean = sums.phi / sums.n
    return Value(mean, max(0.0, sums.phi2 / sums.n - mean**2) / sums.n)


def effective_size(sums: OffPolicySums) -> float:
    """(sum w)^2 / sum w^2: how many labels of the arm's own traffic say as much."""
    return sums.w**2 / sums.w2 if sums.w2 else 0.0
