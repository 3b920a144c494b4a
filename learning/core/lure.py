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
    effective: float  # plain random labels that would know as much


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
    wrong = np.logical_not(right).astype(np.float64)
    weights = lure_weights(chance, pool)
    if asked == pool:
        return _exact(float((weights * wrong).mean()), asked)
    most = float(weights.sum() ** 2 / (weights**2).sum())
    return _combined(_steps(wrong, chance, pool), _shares(asked, pool), most, asked, level)


def drawn_accuracy(
    right: NDArray[np.bool_], drawn: NDArray[np.bool_], pool: int, level: float = 0.95
) -> LureEstimate:
    """The same from M items of which only some were drawn: evenly, from all that were then left. The others
    were chosen by a strategy, for sure, so that LURE's q_m is 1 for them and 0 for what was passed over.

    But a drawn item's a_m is unbiased whatever was chosen before it: the items before it are known, and it
    speaks for those that were left. So a_m is taken of the drawn ones alone, with LURE's weights. The chance
    with which a step draws need not be known, and may change.

    `right`, `drawn` (M,): in the order of asking. The effective size is at most the number drawn, over the
    square of the share of the pool that is still unknown. Raises ValueError if none was drawn, or as above.
    """
    asked = len(right)
    if asked == 0 or asked > pool or drawn.shape != (asked,):
        raise ValueError(f"There are {asked} answers and {drawn.size} draws from a pool of {pool} items.")
    wrong = np.logical_not(right).astype(np.float64)
    if asked == pool:
        return _exact(float(wrong.mean()), asked)
    if not drawn.any():
        raise ValueError("None of the items was drawn at random: nothing can be said of the others.")
    shares = _shares(asked, pool)[drawn]
    shares /= shares.sum()
    most = 1 / float((shares**2).sum()) / (1 - asked / pool) ** 2
    steps = _steps(wrong, 1 / (pool - np.arange(asked)), pool)[drawn]
    return _combined(steps, shares, most, int(drawn.sum()), level)


def _steps(wrong: NDArray[np.float64], chance: NDArray[np.float64], pool: int) -> NDArray[np.float64]:
    """a_m (M,): what step m alone says of the pool's error."""
    return np.asarray((wrong / chance + np.concatenate([[0.0], np.cumsum(wrong)[:-1]])) / pool)


def _shares(asked: int, pool: int) -> NDArray[np.float64]:
    """c_m / M (M,), of sum 1."""
    step = np.arange(1, asked + 1)
    return np.asarray(pool * (pool - asked) / ((pool - step) * (pool - step + 1)) / asked)


def _exact(error: float, n: int) -> LureEstimate:
    """Every item was asked: there is nothing to estimate."""
    return LureEstimate(1 - error, 1 - error, 1 - error, n, float(n))


def _combined(
    steps: NDArray[np.float64], shares: NDArray[np.float64], most: float, n: int, level: float
) -> LureEstimate:
    error = float(np.clip(shares @ steps, 0, 1))
    variance = float((shares**2 * (steps - error) ** 2).sum())
    effective = min(most, error * (1 - error) / variance) if variance > 0 else most
    effective = max(effective, 1.0)
    low, high = wilson(effective * (1 - error), effective, level)
    return LureEstimate(1 - error, low, high, n, effective)
