import numpy as np

from learning.core.cached import CachedCommittee, rows
from learning.core.committee import scored
from learning.core.lazy import lazy
from learning.core.pool import Floats, Pool, Query, given, top_k
from learning.core.strategies.base import strategy

disagreement = lazy("modAL.disagreement")


@strategy(
    "consensus-entropy",
    title="Consensus entropy",
    summary="asks what models trained on different samples of the labels are unsure of together; helps where "
    "the probabilities of one model jump from training to training.",
    cost="O(C N K): one pass over the probabilities of each of C models.",
    needs={"committee"},
)
def consensus_entropy(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    """The entropy of the mean of the members' probabilities (modAL's `consensus_entropy`)."""
    return top_k(scored(_of_the_mean, given(pool.committee)), k)


def _of_the_mean(proba: Floats) -> Floats:
    found: Floats = disagreement.consensus_entropy(CachedCommittee(proba), rows(proba.shape[1]))
    return found
