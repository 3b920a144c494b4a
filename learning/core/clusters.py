"""Groups of similar points."""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from learning.core.geometry import Float32, squares
from learning.core.lazy import lazy

sklearn_cluster = lazy("sklearn.cluster")
exceptions = lazy("sklearn.exceptions")

STEPS = 4  # of Lloyd's algorithm: from good seeds, later ones move few points


def k_means(points: Float32, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(n, d) -> the cluster (n,) of each, 0..; fewer than `count` when there are fewer distinct points."""
    lengths = squares(points)

    def squared_distances(row: int) -> Float32:
        return np.asarray(np.maximum(lengths + (lengths[row] - 2 * (points @ points[row])), 0))

    centres = points[seeds(squared_distances, int(rng.integers(len(points))), min(count, len(points)), rng)]
    # On a busy machine scikit-learn's threads wait for each other: 12 s of two, where one takes 1 s.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)  # fewer distinct points than clusters
        fitted = sklearn_cluster.KMeans(len(centres), init=centres, n_init=1, max_iter=STEPS).fit(points)
    return np.asarray(fitted.labels_, dtype=np.int64)


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
