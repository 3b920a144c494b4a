import numpy as np

from learning.core.cached import CachedClassifier, rows
from learning.core.lazy import lazy
from learning.core.pool import Pool, Query, given, top_k
from learning.core.strategies.base import strategy

uncertainty = lazy("modAL.uncertainty")


@strategy(
    "margin",
    title="Margin",
    summary="asks where the two best guesses are closest; the safe choice for most projects.",
    needs={"proba"},
)
def margin(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    return top_k(1 - uncertainty.classifier_margin(CachedClassifier(given(pool.proba)), rows(pool.size)), k)
