import numpy as np

from learning.core.cached import CachedCommittee, rows
from learning.core.committee import Members, scored
from learning.core.lazy import lazy
from learning.core.pool import Floats, Pool, Query, given, top_k
from learning.core.strategies.base import strategy

disagreement = lazy("modAL.disagreement")


@strategy(
    "committee",
    title="Committee disagreement",
    summary="asks where models trained on different samples of the labels contradict each other; helps when "
    "one model is confidently wrong.",
    cost="O(C N K): one pass over the probabilities of each of C models.",
    needs={"committee"},
)
def committee(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    return top_k(votes(given(pool.committee)) + 1e-3 * divergence(given(pool.committee)), k)


def votes(proba: Members) -> Floats:
    """Vote entropy (N,). modAL counts row by row in Python, so it is handed each distinct ballot once."""
    ballots = np.sort(proba.argmax(axis=2), axis=0)  # (C, N): who voted what does not matter
    # Nor which labels they are: the first becomes 0, the next other one 1. So there are few ballots.
    ballots = np.cumsum(np.diff(ballots, axis=0, prepend=ballots[:1]) > 0, axis=0)
    distinct, which = np.unique(ballots, axis=1, return_inverse=True)  # (C, U)
    single = np.eye(len(proba))[distinct]  # (C, U, C)
    entropies: Floats = disagreement.vote_entropy(CachedCommittee(single), rows(distinct.shape[1]))
    return np.asarray(entropies[which.ravel()])


def divergence(proba: Members) -> Floats:
    """The largest KL divergence of a member from the consensus, scaled into 0..1 (it is at most log C).

    Five members can give only seven vote entropies: this orders the many ties among them.
    """
    return np.asarray(scored(_worst, proba) / np.log(max(len(proba), 2)))


def _worst(proba: Floats) -> Floats:
    found: Floats = disagreement.KL_max_disagreement(CachedCommittee(proba), rows(proba.shape[1]))
    return found
