import numpy as np

from learning.core.pool import Pool, Query, given, top_k
from learning.core.strategies.base import strategy
from learning.core.strategies.committee import divergence


@strategy(
    "max-kl",
    title="Largest divergence",
    summary="asks where one model of a committee departs furthest from the others; helps to find what only "
    "few labels speak for.",
    cost="O(C N K): one pass over the probabilities of each of C models.",
    needs={"committee"},
)
def max_kl(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    """Max disagreement: the largest KL(member || mean of members) (modAL's `max_disagreement_sampling`)."""
    return top_k(divergence(given(pool.committee)), k)
