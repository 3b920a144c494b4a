"""Thompson sampling in batches: each arm's share is its chance of being the best."""

from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv, betaln, xlog1py, xlogy

NODES = 400  # of the integration; its error is far below what a share is rounded to
_TAIL = 1e-10


@cache
def _gauss_legendre() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.polynomial.legendre.leggauss(NODES)


def chances_of_best(right: NDArray[np.float64], wrong: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K,) and (K,) -> (K,): the chance of each arm that its success rate is the highest, each with a
    uniform prior: the integral of its density times the other arms' distributions.

    Integrated, not sampled: what Thompson (1933) draws for each request is drawn by the requests themselves,
    and the share needs no seed to be the same again.
    """
    a, b = right + 1, wrong + 1
    low, high = float(betaincinv(a, b, _TAIL).min()), float(betaincinv(a, b, 1 - _TAIL).max())
    nodes, weights = _gauss_legendre()
    x = low + (high - low) * (nodes + 1) / 2  # (NODES,)
    log_density = xlogy(a[:, None] - 1, x) + xlog1py(b[:, None] - 1, -x) - betaln(a, b)[:, None]
    below = betainc(a[:, None], b[:, None], x)  # (K, NODES)
    others = np.stack([np.delete(below, arm, axis=0).prod(axis=0) for arm in range(len(a))])
    chances = (np.exp(log_density) * others * weights).sum(axis=1)
    return np.asarray(chances / chances.sum())


def shares(chances: Mapping[str, float], floor: float) -> dict[str, float]:
    """w = e + (1 - K e) P(best): no arm gets less than the floor e, so that a mistake can be noticed and
    every arm's value can be estimated from what others answered.
    """
    floor = min(floor, 1 / len(chances))
    return {arm: floor + (1 - len(chances) * floor) * chance for arm, chance in chances.items()}
