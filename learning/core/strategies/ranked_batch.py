import numpy as np

from learning.core.cached import CachedClassifier, rows
from learning.core.candidates import labelled_sample
from learning.core.geometry import sphere
from learning.core.lazy import lazy
from learning.core.pool import Floats, Pool, Query, batch_first, given, top_k
from learning.core.strategies.base import strategy

batch = lazy("modAL.batch")
measures = lazy("modAL.uncertainty")

BATCH = 32
CANDIDATES = 1000
LABELLED = 1000
DIMENSIONS = 64


class Labelled:
    """What modAL's ranked_batch asks of a learner: the items labelled already (None = cold start)."""

    on_transformed = False

    def __init__(self, training: Floats | None) -> None:
        self.X_training = training


@strategy(
    "ranked-batch",
    title="Ranked batch",
    summary="asks what is uncertain and unlike what was asked; helps when the pool is full of near-copies.",
    cost="O(N K), then distances of 1,000 candidates to 1,000 labelled items for each of 32 places.",
    needs={"proba", "embeddings"},
    screen="least-confidence",
)
def ranked_batch(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    """Cardoso et al. 2017. A step of modAL costs candidates x labelled distances, so the BATCH first places
    are ranked among the CANDIDATES most uncertain items, in a projection to DIMENSIONS, against at most
    LABELLED labelled items; the rest follows by uncertainty.
    """
    uncertainty = measures.classifier_uncertainty(
        CachedClassifier(given(pool.proba)), rows(pool.size)
    )  # (N,) in 0..1
    by_uncertainty = top_k(uncertainty, pool.size).indices
    candidates = np.sort(by_uncertainty[: max(CANDIDATES, 10 * min(k, BATCH))])
    known = labelled_sample(pool, LABELLED, rng)
    unlabelled, labelled = sphere(DIMENSIONS, rng, given(pool.embeddings)[candidates], known)
    learner = Labelled(labelled.astype(np.float64) if len(labelled) else None)
    chosen, _ = batch.ranked_batch(
        learner, unlabelled.astype(np.float64), uncertainty[candidates], min(k, BATCH), "euclidean", None
    )
    return batch_first(candidates[chosen], uncertainty, k)
