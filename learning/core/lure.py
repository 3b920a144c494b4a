"""The accuracy of a model on labels that were not chosen at random, for projects without a hold-out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.core.evaluation import wilson


@dataclass(frozen=True)
class LureEstimate:
    accuracy: float
    low: float
    high: float
    n: int


def lure_weights(chance: NDArray[np.float64], pool: int) -> NDArray[np.float64]:
    """v_m = 1 + (N - M) / (N - m) (1 / ((N - m + 1) q_m) - 1), m = 1..M (Farquhar et al. 2021, eq. 7).

    `chance` (M,): q_m, the probability with which the m-th item was drawn out of the N - m + 1 then left.
    """
    asked = len(chance)
    left = pool - np.arange(1, asked + 1)  # N - m
    share = np.divide(pool - asked, left, out=np.zeros(asked), where=left > 0)
    return np.asarray(1 + share * (1 / ((left + 1) * chance) - 1))


def lure_accuracy(
    right: NDArray[np.bool_], chance: NDArray[np.float64], pool: int, level: float = 0.95
) -> LureEstimate:
    """The accuracy on all `pool` items from M labelled ones, in the order in which they were drawn.

    `right` (M,): was the model right, a model that did not train on them. Each step gives an unbiased
    estimate a_m of the pool's error; LURE is their mean weighted by
    c_m = N (N - M) / ((N - m) (N - m + 1)), so its variance is estimated by sum (c_m / M)^2 (a_m - R)^2.
    That makes an effective sample size, no larger than (sum v)^2 / sum v^2, for Wilson's interval, which
    stays sensible when no answer was wrong. For one look: it is not anytime-valid.

    Raises ValueError for chances outside of 0..1, more items than the pool has, or none.
    """
    asked = len(right)
    if asked == 0 or asked > pool or chance.shape != (asked,):
        raise ValueError(f"There are {asked} answers and {chance.size} chances from a pool of {pool} items.")
    if not ((chance > 0) & (chance <= 1)).all():
        raise ValueError("The chance with which an item was drawn must be above 0 and at most 1.")
    wrong = 1.0 - right
    weights = lure_weights(chance, pool)
    error = float(np.clip((weights * wrong).mean(), 0, 1))
    if asked == pool:
        return LureEstimate(1 - error, 1 - error, 1 - error, asked)
    step = np.arange(1, asked + 1)
    each = (wrong / chance + np.concatenate([[0.0], np.cumsum(wrong)[:-1]])) / pool  # a_m
    part = pool * (pool - asked) / ((pool - step) * (pool - step + 1)) / asked  # c_m / M
    variance = float((part**2 * (each - error) ** 2).sum())
    effective = float(weights.sum() ** 2 / (weights**2).sum())
    if variance > 0:
        effective = min(effective, error * (1 - error) / variance)
    effective = max(effective, 1.0)
    low, high = wilson(effective * (1 - error), effective, level)
    return LureEstimate(1 - error, low, high, asked)
