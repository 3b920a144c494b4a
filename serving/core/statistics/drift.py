"""Has live traffic left what the model was trained on? Inputs and predictions against the training pool.

Both tests look once at a window of a fixed number of predictions and then begin a new one, so that without
drift about one window in 1 / alpha raises a false notice, however long the service runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, fdtrc

from serving.core.statistics.agreement import jensen_shannon

Floats = NDArray[np.float64]

ALPHA = 0.001
WINDOW = 500  # predictions
DIRECTIONS = 16
LEAST_EXPECTED = 5.0  # of a class in a window; rarer ones are counted together


@dataclass(frozen=True)
class Drift:
    p: float  # the chance of a difference like this or larger without drift
    size: float | None  # how far off: bits of divergence, or standard deviations
    n: int  # predictions of the window


def answers_drift(pool: Mapping[str, int], live: Mapping[str, int]) -> Drift:
    """Of two histograms of predicted classes: the likelihood-ratio test that both come from one distribution.
    G = 2 sum O ln(O / E), chi-squared with one degree less than classes (Wilks 1938). It is 2 ln 2 N times
    the Jensen-Shannon divergence weighted by the two sizes. `size` is that divergence with even weights.
    """
    n = sum(live.values())
    table = _common(
        np.array([[side.get(one, 0) for one in sorted({*pool, *live})] for side in (pool, live)], float)
    )
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return Drift(1.0, jensen_shannon(pool, live), n)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    seen = table > 0
    g = 2 * float((table[seen] * np.log(table[seen] / expected[seen])).sum())
    return Drift(float(chdtrc(table.shape[1] - 1, max(0.0, g))), jensen_shannon(pool, live), n)


def _common(table: Floats) -> Floats:
    """Classes too rare for the approximation, together."""
    share = table.sum(axis=0) / max(1.0, table.sum())
    rare = share * table[1].sum() < LEAST_EXPECTED
    together = table[:, rare].sum(axis=1, keepdims=True)
    return np.concatenate([table[:, ~rare], together], axis=1) if rare.any() else table


@dataclass(frozen=True)
class InputReference:
    """What the pool's embeddings look like: their main directions, and how far they lie from the middle."""

    center: Floats  # (D,)
    directions: Floats  # (D, d), whitening: the pool has unit variance along each
    mean: Floats  # (d + 1,) of `traits` over the pool
    inverse: Floats  # (d + 1, d + 1), of their covariance
    n: int


def input_reference(embeddings: Floats, directions: int = DIRECTIONS) -> InputReference:
    """Of the pool's `embeddings` (N, D), N > 2 * directions.

    Raises ValueError for fewer, or for values that are not finite.
    """
    n = len(embeddings)
    if n <= 2 * directions:
        raise ValueError(f"Drift of inputs needs a pool of more than {2 * directions} images, not {n}.")
    if not np.isfinite(embeddings).all():
        raise ValueError("The pool's embeddings hold values that are not finite: embed its images again.")
    center = embeddings.mean(axis=0, dtype=float)
    spread, axes = np.linalg.eigh(np.cov(embeddings - center, rowvar=False))
    kept = np.flatnonzero(spread > 1e-9 * max(spread[-1], 1e-300))[-directions:]
    whitening = axes[:, kept] / np.sqrt(spread[kept])
    found = _traits(embeddings, center, whitening)
    inverse = np.linalg.pinv(np.atleast_2d(np.cov(found, rowvar=False)))
    return InputReference(center, whitening, found.mean(axis=0), inverse, n)


def traits(embeddings: Floats, reference: InputReference) -> Floats:
    """(n, D) -> (n, d + 1): the whitened directions, and last the squared distance from the pool's middle.
    Sums of them over a window are all that `inputs_drift` needs.
    """
    return _traits(embeddings, reference.center, reference.directions)


def _traits(embeddings: Floats, center: Floats, directions: Floats) -> Floats:
    along = (embeddings - center) @ directions
    return np.concatenate([along, np.square(along).sum(axis=1, keepdims=True)], axis=1)


def inputs_drift(total: Floats, n: int, reference: InputReference) -> Drift:
    """Of a window of n embeddings with the sum of traits `total` (d + 1,): Hotelling's test (1931) that their
    mean is the pool's. The directions see a shift; the distance sees noise, blur and strange images, which
    have no direction. `size` is the Mahalanobis distance of the means.
    """
    if n == 0:
        return Drift(1.0, None, 0)
    away = total / n - reference.mean
    squared = float(away @ reference.inverse @ away)
    size, pool = len(total), reference.n
    statistic = squared * n * pool / (n + pool) * (pool - size) / (size * (pool - 1))
    p = float(fdtrc(size, pool - size, max(0.0, statistic)))
    return Drift(p, float(np.sqrt(max(0.0, squared))), n)
