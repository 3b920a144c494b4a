import numpy as np
from numpy.typing import NDArray

from learning.core.candidates import BATCH, view
from learning.core.clusters import k_means
from learning.core.geometry import Float32, nearest_squared
from learning.core.herding import coverage, ranked, within
from learning.core.pool import Pool, Query
from learning.core.strategies.base import strategy

PURE = 0.95
CLASSES = 10  # where nothing says how many there are


@strategy(
    "probcover",
    title="Probability coverage",
    summary="asks what has most uncovered images close by; helps with the first labels when the features "
    "separate the labels well.",
    cost="O(N P D): distances of N candidates to P = 2,000 probes, then lazily greedy.",
    needs={"embeddings"},
    screen="random",
)
def probcover(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    """Yehuda et al. 2022, algorithm 1: max coverage by balls of the radius that `pure_radius` finds."""
    seen = view(pool, min(k, BATCH), rng)
    radius = pure_radius(seen.probes, k_means(seen.probes, _classes(pool), rng))
    covered = coverage(within(seen.labelled, seen.probes, radius))
    weights = np.ones(len(seen.probes), dtype=np.float32)
    return ranked(seen, within(seen.points, seen.probes, radius), covered, weights, k, rng)


def pure_radius(points: Float32, clusters: NDArray[np.int64]) -> float:
    """The largest radius at which 95% of the balls around points hold one cluster only (section 3.2).

    A ball is pure up to the nearest point of another cluster, so it is a quantile of those distances.
    """
    foreign = np.empty(len(points), dtype=np.float32)
    for cluster in np.unique(clusters):
        inside = clusters == cluster
        foreign[inside] = nearest_squared(points[inside], points[~inside])
    allowed = np.sort(foreign)[int((1 - PURE) * len(points))]
    return float(np.nextafter(np.sqrt(min(allowed, 4.0)), 0))


def _classes(pool: Pool) -> int:
    if pool.proba is not None:
        return max(int(pool.proba.shape[1]), 2)
    if pool.labelled_labels is not None and len(pool.labelled_labels):
        return max(int(pool.labelled_labels.max()) + 1, 2)
    return CLASSES
