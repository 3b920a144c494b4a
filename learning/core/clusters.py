"""Groups of similar points."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from learning.core.geometry import Float32, blocks, squares

STEPS = 2  # of Lloyd's algorithm: from good seeds, later ones move few points


def k_means(points: Float32, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(n, d) -> the cluster (n,) of each, 0..; fewer than `count` when there are fewer distinct points."""
    centres, clusters = scattered(points, min(count, len(points)), rng)
    for _ in range(STEPS):
        centres = means(points, clusters, centres)
        clusters, _ = nearest(points, centres)
    return np.unique(clusters, return_inverse=True)[1].astype(np.int64)


def scattered(points: Float32, count: int, rng: np.random.Generator) -> tuple[Float32, NDArray[np.int64]]:
    """Up to `count` of the points (n, d) as centres (k, d), and which of them is nearest to each (n,).

    As in k-means++, a point is drawn by its squared distance to the nearest centre, but as many at a time as
    there are centres already, which takes log k matrix products instead of k vectors (the oversampling of
    k-means||, Bahmani et al. 2012).
    """
    chosen = new = rng.integers(len(points), size=1)
    clusters = np.zeros(len(points), dtype=np.int64)
    squared = np.full(len(points), np.inf, dtype=np.float32)  # distance to the nearest centre
    while True:
        best, least = nearest(points, points[new])
        closer = least < squared
        clusters[closer] = len(chosen) - len(new) + best[closer]
        squared[closer] = least[closer]
        squared[chosen] = 0  # rounding aside it is
        upto = squared.cumsum(dtype=np.float64)
        more = min(len(chosen), count - len(chosen))
        if more == 0 or upto[-1] <= 0:
            return points[chosen], clusters
        new = np.unique(upto.searchsorted(rng.random(more) * upto[-1], side="right"))
        chosen = np.concatenate([chosen, new])


def means(points: Float32, clusters: NDArray[np.int64], centres: Float32) -> Float32:
    """The centres (k, d) moved to the mean of their points; one without points stays."""
    order = np.argsort(clusters, kind="stable")
    filled, starts = np.unique(clusters[order], return_index=True)
    moved = centres.copy()
    sums = np.add.reduceat(points[order], starts, axis=0)
    moved[filled] = sums / np.diff(starts, append=len(order))[:, None].astype(np.float32)
    return moved


def nearest(points: Float32, centres: Float32) -> tuple[NDArray[np.int64], Float32]:
    """Of each point (n, d) the nearest of the centres (k, d), and the squared distance to it: (n,), (n,).

    |x - c|^2 = |x|^2 - 2 (x . c - |c|^2 / 2).
    """
    best = np.empty(len(points), dtype=np.int64)
    greatest = np.empty(len(points), dtype=np.float32)
    offsets = squares(centres) / 2
    for block in blocks(len(points)):
        products = points[block] @ centres.T
        products -= offsets
        best[block] = products.argmax(axis=1)
        greatest[block] = products.max(axis=1)
    return best, np.maximum(squares(points) - 2 * greatest, 0)


def seeds(
    squared_distances: Callable[[int], Float32], first: int, count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """k-means++ (Arthur and Vassilvitskii 2007): after the first, each row is drawn by its squared distance
    to the nearest one chosen. Fewer than `count` when all that is left equals a chosen one.

    `squared_distances(row)` gives those of all rows (n,) to it.
    """
    chosen = [first]
    nearest = squared_distances(first)
    while len(chosen) < count:
        nearest[chosen] = 0  # rounding aside it is
        upto = nearest.cumsum(dtype=np.float64)
        if upto[-1] <= 0:
            break
        chosen.append(int(upto.searchsorted(rng.random() * upto[-1], side="right")))
        np.minimum(nearest, squared_distances(chosen[-1]), out=nearest)
    return np.array(chosen, dtype=np.int64)
