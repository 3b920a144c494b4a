import numpy as np
from numpy.typing import NDArray

from learning.core.candidates import BATCH, DIMENSIONS, LABELLED, labelled_sample, narrow, scattered
from learning.core.geometry import Float32, nearest_squared, sphere, squares
from learning.core.pool import Pool, Query, batch_first, given
from learning.core.strategies.base import strategy

FAR = 32  # points whose distances are computed at a time


@strategy(
    "coreset",
    title="Core set",
    summary="asks what is furthest from everything asked before; helps to find rare kinds of items early.",
    cost="O(N D (L + B)): distances of N candidates to L labelled items and B chosen ones.",
    needs={"embeddings"},
    screen="random",
)
def coreset(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    """k-centre greedy (Sener and Savarese 2018, algorithm 1) on embeddings of unit length."""
    rows = narrow(pool.size, min(k, BATCH), rng)
    known = labelled_sample(pool, LABELLED, rng)
    points, labelled = sphere(DIMENSIONS, rng, given(pool.embeddings)[rows], known)
    chosen, nearest = k_centre(points, nearest_squared(points, labelled), min(k, BATCH))
    return batch_first(rows[chosen], scattered(rows, np.sqrt(nearest), pool.size, rng), k)


def k_centre(points: Float32, nearest: Float32, count: int) -> tuple[NDArray[np.int64], Float32]:
    """`count` <= n points (n, d), each the furthest from all centres before it, and what `nearest` is then.

    `nearest` (n,): the squared distance to the nearest centre; infinite where there is none, and then the
    first is the point nearest to the mean.
    """
    lengths = squares(points)
    nearest = nearest.copy()
    chosen = np.empty(count, dtype=np.int64)
    columns: dict[int, Float32] = {}  # of a point, the squared distances of all to it
    for place in range(count):
        best = int(nearest.argmax())
        if np.isinf(nearest[best]):
            best = int((lengths - 2 * (points @ points.mean(axis=0))).argmin())
        if best not in columns:
            # The next ones are most likely those that are far now: one product for all of them.
            far = np.append(np.argpartition(-nearest, min(FAR, len(points)) - 1)[:FAR], best)
            products = points[far] @ points.T
            columns = dict(zip(far.tolist(), lengths + (lengths[far, None] - 2 * products), strict=True))
        chosen[place] = best
        np.minimum(nearest, columns[best], out=nearest)
        nearest[best] = -np.inf  # not even in a pool of copies is a point chosen twice
    return chosen, np.maximum(nearest, 0)
