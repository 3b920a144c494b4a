"""What would an arm be worth if it answered everything? From labels that other shares of traffic left."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from serving.core.statistics.clusters import UnitSums, sums_over


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
    # Decisions from before units were counted have none: each label was taken for one.
    by_unit: UnitSums | None = None

    @classmethod
    def of(
        cls,
        answered: NDArray[np.bool_],
        propensity: NDArray[np.float64],
        reward: NDArray[np.float64],
        expected: NDArray[np.float64],
        unit: NDArray[np.int64] | None = None,
    ) -> "OffPolicySums":
        """Of arrays (n,); `propensity` is that of the arm in question, also where another answered; `unit` is
        the number from 0 of whom each comes from, without which each is one of its own.
        """
        w = answered / propensity
        phi = expected + w * (reward - expected)
        wr, squares = w * reward, w**2
        sums = (w, wr, squares, squares * reward, wr**2, phi, phi**2)
        of_w, of_wr, w2, w2r, w2rr, of_phi, phi2 = (float(one.sum()) for one in sums)
        found = cls(len(w), of_w, of_wr, w2, w2r, w2rr, of_phi, phi2)
        if unit is None:
            return found
        n, whole, got, value = (sums_over(unit, one) for one in (np.ones(len(w)), w, wr, phi))
        products = (n * n, n * got, got * got, whole * whole, whole * got, n * value, value * value)
        known = UnitSums(int((n > 0).sum()), *(float(one.sum()) for one in products))
        return replace(found, by_unit=known)


@dataclass(frozen=True)
class Value:
    """An estimate and its variance: where units are known, of the squares of their residuals' sums (Liang and
    Zeger 1986), for what a unit sends is alike, and each of its labels no evidence of its own.
    """

    mean: float
    variance: float


def inverse_propensity(sums: OffPolicySums) -> Value:
    """sum(w r) / n: unbiased (Horvitz and Thompson 1952), and wild where propensities are small."""
    mean, of = sums.wr / sums.n, sums.by_unit
    if of is not None:
        return Value(mean, of.around(of.rr, of.nr, of.nn, mean) / sums.n**2)
    return Value(mean, max(0.0, sums.w2rr / sums.n - mean**2) / sums.n)


def self_normalised(sums: OffPolicySums) -> Value | None:
    """sum(w r) / sum(w) (Swaminathan and Joachims 2015): never outside of the rewards. None without any."""
    if not sums.w:
        return None
    mean, of = sums.wr / sums.w, sums.by_unit
    if of is not None:
        return Value(mean, of.around(of.rr, of.wr, of.ww, mean) / sums.w**2)
    return Value(mean, max(0.0, sums.w2rr - 2 * mean * sums.w2r + mean**2 * sums.w2) / sums.w**2)


def doubly_robust(sums: OffPolicySums) -> Value:
    """The mean of phi (Dudik, Langford and Li 2011): unbiased if the propensities are right, whatever was
    expected, and the less noisy the better that was.
    """
    mean, of = sums.phi / sums.n, sums.by_unit
    if of is not None:
        return Value(mean, of.around(of.pp, of.np, of.nn, mean) / sums.n**2)
    return Value(mean, max(0.0, sums.phi2 / sums.n - mean**2) / sums.n)


def effective_size(sums: OffPolicySums) -> float:
    """(sum w)^2 / sum w^2: how many labels of the arm's own traffic say as much."""
    return sums.w**2 / sums.w2 if sums.w2 else 0.0
