import numpy as np

from learning.core.cached import CachedClassifier, rows
from learning.core.lazy import lazy
from learning.core.pool import Pool, Query, given, top_k
from learning.core.strategies.base import strategy

uncertainty = lazy("modAL.uncertainty")


@strategy(
    "entropy",
    title="Entropy",
    summary="asks where all labels compete; helps with many labels once a few hundred items are labelled.",
    cost="O(N K): one pass over the probabilities.",
    needs={"proba"},
)
def entropy(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    return top_k(uncertainty.classifier_entropy(CachedClassifier(given(pool.proba)), rows(pool.size)), k)
