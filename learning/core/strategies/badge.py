import numpy as np
from numpy.typing import NDArray

from learning.core.candidates import BATCH, DIMENSIONS, narrow
from learning.core.clusters import seeds
from learning.core.geometry import Float32, projection, squares
from learning.core.pool import Pool, Query, batch_first, given
from learning.core.strategies.base import strategy


@strategy(
    "badge",
    title="BADGE",
    summary="asks what would change the model most, in different directions; helps with large batches.",
    cost="O(B N (K + D)): for each of B places one product with N candidates.",
    needs={"proba", "embeddings"},
    screen="least-confidence",
)
def badge(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    """Ash et al. 2020: k-means++ seeding on the gradients of the last layer at the predicted label."""
    proba = given(pool.proba)
    rows = narrow(pool.size, min(k, BATCH), rng, 1 - proba.max(axis=1))
    features = np.asarray(given(pool.embeddings)[rows], dtype=np.float32)
    matrix = projection(features.shape[1], DIMENSIONS, rng)
    gradients = Gradients(proba[rows], features if matrix is None else features @ matrix)
    chosen = spread(gradients, min(k, BATCH), rng)
    scores = -proba.max(axis=1)  # below 0
    scores[rows] = gradients.squared
    return batch_first(rows[chosen], scores, k)


class Gradients:
    """q_i (x) h_i for each item, never formed: q_i = p_i - onehot(its best label) (n, K), h_i (n, D)."""

    def __init__(self, proba: NDArray[np.float64], features: Float32) -> None:
        self.outer = proba.astype(np.float32)
        self.outer[np.arange(len(proba)), proba.argmax(axis=1)] -= 1
        self.features = features
        self.squared = squares(self.outer) * squares(features)  # (n,), |g_i|^2

    def squared_distances(self, row: int) -> Float32:
        """|g_i - g_row|^2 = |g_i|^2 + |g_row|^2 - 2 (q_i . q_row) (h_i . h_row) for all i."""
        product = (self.outer @ self.outer[row]) * (self.features @ self.features[row])
        return np.asarray(np.maximum(self.squared + self.squared[row] - 2 * product, 0))


def spread(gradients: Gradients, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` <= n different items: the longest gradient first, then by k-means++; when all that is left
    equals a chosen one, by length.
    """
    chosen = seeds(gradients.squared_distances, int(gradients.squared.argmax()), count, rng)
    longest = np.argsort(-gradients.squared, kind="stable")
    rest = longest[~np.isin(longest, chosen)]
    return np.concatenate([chosen, rest[: count - len(chosen)]]).astype(np.int64)
