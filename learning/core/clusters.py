"""Groups of similar points."""

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from learning.core.geometry import Float32

STEPS = 20  # of Lloyd's algorithm: later ones move few points


def k_means(points: Float32, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(n, d) -> the cluster (n,) of each, 0..count-1; with fewer distinct points some clusters stay empty."""
    seed = int(rng.integers(2**31))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of fewer distinct points than clusters
        fitted = KMeans(min(count, len(points)), n_init=1, max_iter=STEPS, random_state=seed).fit(points)
    return np.asarray(fitted.labels_, dtype=np.int64)
