import numpy as np
from numpy.typing import NDArray

from learning.core.candidates import BATCH, DIMENSIONS
from learning.core.geometry import sphere
from learning.core.lazy import lazy
from learning.core.pool import Pool, Query, batch_first, given, top_k
from learning.core.strategies.base import strategy
from learning.core.strategies.margin import unsure

hierarchy = lazy("scipy.cluster.hierarchy", often=False)

CANDIDATES = 10  # for each place, as in the paper's experiments


@strategy(
    "cluster-margin",
    title="Cluster margin",
    summary="asks by margin, but from one group of similar images after the other; helps with large batches.",
    cost="O(N K), then O(M^2 D) for the tree of M = 10 B candidates.",
    needs={"proba", "embeddings"},
    screen="margin",
)
def cluster_margin(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    """Citovsky et al. 2021, algorithm 1: the 10 B smallest margins, clustered by average linkage, then one of
    each cluster in turn, from the smallest cluster to the largest.

    The tree is cut into B clusters, not at a distance, and within a cluster the smallest margin comes first.
    """
    uncertainty = unsure(given(pool.proba))
    batch = min(k, BATCH)
    rows = top_k(uncertainty, CANDIDATES * batch).indices  # smallest margin first
    [points] = sphere(DIMENSIONS, rng, given(pool.embeddings)[rows])
    if len(rows) < 2:
        return top_k(uncertainty, k)
    clusters = hierarchy.fcluster(hierarchy.linkage(points, "average"), batch, "maxclust")
    return batch_first(rows[round_robin(clusters)[:batch]], uncertainty, k)


def round_robin(clusters: NDArray[np.int32]) -> NDArray[np.int64]:
    """Places (n,) in turn from each cluster, smallest cluster first; within one in the order given."""
    sizes = np.bincount(clusters)
    turn = np.empty(len(clusters), dtype=np.int64)  # how many of its cluster come before
    for cluster in np.unique(clusters):
        inside = np.flatnonzero(clusters == cluster)
        turn[inside] = np.arange(len(inside))
    return np.lexsort((clusters, sizes[clusters], turn)).astype(np.int64)
