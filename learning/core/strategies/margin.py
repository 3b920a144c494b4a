import numpy as np

from learning.core.cached import CachedClassifier, rows
from learning.core.lazy import lazy
from learning.core.pool import Floats, Pool, Query, given, top_k
from learning.core.strategies.base import strategy

uncertainty = lazy("modAL.uncertainty")


@strategy(
    "margin",
    title="Margin",
    summary="asks where the two best guesses are closest; the safe choice for most projects.",
    cost="O(N K): one pass over the probabilities.",
    needs={"proba"},
)
def margin(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    return top_k(unsure(given(pool.proba)), k)


def unsure(proba: Floats) -> Floats:
    """1 - margin: (N, K) -> (N,), 0 where the model is certain, 1 where its two best guesses tie."""
    return np.asarray(1 - uncertainty.classifier_margin(CachedClassifier(proba), rows(len(proba))))
