import numpy as np

from learning.core.cached import CachedClassifier, rows
from learning.core.lazy import lazy
from learning.core.pool import Pool, Query, given, top_k
from learning.core.strategies.base import strategy

uncertainty = lazy("modAL.uncertainty")


@strategy(
    "least-confidence",
    title="Least confidence",
    summary="asks where the best guess is weakest; helps when most items are easy and a few are not.",
    cost="O(N K): one pass over the probabilities.",
    needs={"proba"},
)
def least_confidence(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    return top_k(uncertainty.classifier_uncertainty(CachedClassifier(given(pool.proba)), rows(pool.size)), k)
