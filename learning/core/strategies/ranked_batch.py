import numpy as np
from numpy.typing import NDArray

from learning.core.cached import CachedClassifier, rows
from learning.core.lazy import lazy
from learning.core.pool import Floats, Pool, Query, given, top_k
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
    needs={"proba", "embeddings"},
)
def ranked_batch(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    """Cardoso et al. 2017. A step of modAL costs candidates x labelled distances, so the BATCH first places
    are ranked among the CANDIDATES most uncertain items, in a projection to DIMENSIONS, against at most
    LABELLED labelled items; the rest follows by uncertainty. Scores beyond the batch are the uncertainties;
    in the batch they count down to 2, above any uncertainty.
    """
    uncertainty = measures.classifier_uncertainty(
        CachedClassifier(given(pool.proba)), rows(pool.size)
    )  # (N,) in 0..1
    by_uncertainty = top_k(uncertainty, pool.size).indices
    candidates = np.sort(by_uncertainty[: max(CANDIDATES, 10 * min(k, BATCH))])
    unlabelled, labelled = _project(given(pool.embeddings)[candidates], pool.labelled_embeddings, rng)
    chosen, _ = batch.ranked_batch(
        Labelled(labelled), unlabelled, uncertainty[candidates], min(k, BATCH), "euclidean", None
    )
    scores = uncertainty.copy()
    scores[candidates[chosen]] = 1 + np.arange(len(chosen), 0, -1)
    return top_k(scores, k)


def _project(
    unlabelled: NDArray[np.float32], labelled: NDArray[np.float32] | None, rng: np.random.Generator
) -> tuple[Floats, Floats | None]:
    """Both on the unit sphere, so that distances lie in 0..2, and in few dimensions."""
    known = np.empty((0, unlabelled.shape[1]), np.float32) if labelled is None else labelled
    if len(known) > LABELLED:
        known = known[np.sort(rng.choice(len(known), LABELLED, replace=False))]
    both = np.concatenate([unlabelled, known]).astype(np.float64)
    both /= np.maximum(np.linalg.norm(both, axis=1, keepdims=True), 1e-12)
    if both.shape[1] > DIMENSIONS:  # a random projection about keeps distances (Johnson, Lindenstrauss 1984)
        both = both @ (rng.standard_normal((both.shape[1], DIMENSIONS)) / np.sqrt(DIMENSIONS))
    split = len(unlabelled)
    return both[:split], both[split:] if len(known) else None
