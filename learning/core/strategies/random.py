import numpy as np

from learning.core.pool import Pool, Query, top_k
from learning.core.strategies.base import strategy


@strategy(
    "random",
    title="Random",
    summary="every item has the same chance; helps before a model exists and as the baseline to beat.",
    cost="O(N): one number an item.",
)
def random(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    return top_k(rng.random(pool.size), k)
