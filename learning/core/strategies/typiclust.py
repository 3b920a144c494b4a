import numpy as np
from numpy.typing import NDArray

from learning.core.candidates import BATCH, DIMENSIONS, LABELLED, labelled_sample, narrow
from learning.core.clusters import k_means
from learning.core.geometry import Float32, blocks, sphere, squares
from learning.core.pool import Pool, Query, given, top_k
from learning.core.strategies.base import strategy

CLUSTERS = 500
NEIGHBOURS = 20


@strategy(
    "typiclust",
    title="Typical clusters",
    summary="asks the most typical image of each group without a label, large groups first; helps with the "
    "very first labels.",
    cost="O(N D (L + B)): k-means of N candidates into up to 500 groups.",
    needs={"embeddings"},
    screen="random",
)
def typiclust(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    """Hacohen et al. 2022, algorithm 1: k-means to min(L + B, 500) clusters, then in turn the most typical
    item of the cluster with the fewest labels, the largest among those.
    """
    batch = min(k, BATCH)
    rows = narrow(pool.size, batch, rng)
    known = labelled_sample(pool, LABELLED, rng)
    points, labelled = sphere(DIMENSIONS, rng, given(pool.embeddings)[rows], known)
    clusters = k_means(np.concatenate([points, labelled]), min(len(labelled) + batch, CLUSTERS), rng)
    order = by_typicality(points, clusters[: len(points)], clusters[len(points) :])
    scores = -1 - rng.random(pool.size)
    scores[rows[order]] = np.arange(len(order), 0, -1)
    return top_k(scores, k)


def by_typicality(
    points: Float32, clusters: NDArray[np.int64], labelled: NDArray[np.int64]
) -> NDArray[np.int64]:
    """All points (n, d) in the order to ask them, given the clusters (n,) and those of labelled points (L,).

    One of each cluster in turn: asking one counts as a label of its cluster.
    """
    count = int(max(clusters.max(initial=0), labelled.max(initial=0))) + 1
    sizes = np.bincount(clusters, minlength=count) + np.bincount(labelled, minlength=count)
    labels = np.bincount(labelled, minlength=count)[clusters]  # (n,), of the cluster when the point is asked
    by_cluster = np.argsort(clusters, kind="stable")
    for inside in np.split(by_cluster, np.flatnonzero(np.diff(clusters[by_cluster])) + 1):
        order = np.argsort(-typicality(points[inside]), kind="stable")
        labels[inside[order]] += np.arange(len(inside))
    return np.lexsort((clusters, -sizes[clusters], labels)).astype(np.int64)


def typicality(points: Float32) -> Float32:
    """Equation 1 over the points (n, d) of one cluster: 1 / the mean distance to the 20 nearest of them."""
    count = min(NEIGHBOURS, len(points) - 1)
    if count < 1:
        return np.ones(len(points), dtype=np.float32)
    mean = np.empty(len(points), dtype=np.float32)
    lengths = squares(points)
    for block in blocks(len(points)):
        squared = points[block] @ points.T
        squared *= -2
        squared += lengths
        squared += lengths[block, None]
        squared.partition(count, axis=1)  # the nearest is the point itself
        mean[block] = np.sqrt(np.maximum(squared[:, : count + 1], 0)).sum(axis=1) / count
    return np.asarray(1 / np.maximum(mean, 1e-12), dtype=np.float32)
