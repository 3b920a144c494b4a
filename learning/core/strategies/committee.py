import numpy as np

from learning.core.cached import CachedCommittee, rows
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


def votes(proba: Floats) -> Floats:
    """Vote entropy (N,). modAL counts row by row in Python, so it is handed each distinct ballot once."""
    ballots = np.sort(proba.argmax(axis=2), axis=0)  # (C, N): who voted what does not matter
    which = np.zeros(proba.shape[1], dtype=np.int64)
    for member in ballots:  # number the distinct ballots, one member at a time: no code ever overflows
        _, first, which = np.unique(which * proba.shape[2] + member, return_index=True, return_inverse=True)
    distinct = np.eye(proba.shape[2])[ballots[:, first]]  # (C, U, K)
    entropies: Floats = disagreement.vote_entropy(CachedCommittee(distinct), rows(len(first)))
    return np.asarray(entropies[which])


def divergence(proba: Floats) -> Floats:
    """The largest KL divergence of a member from the consensus, scaled into 0..1 (it is at most log C).

    Five members can give only seven vote entropies: this orders the many ties among them.
    """
    worst: Floats = disagreement.KL_max_disagreement(CachedCommittee(proba), rows(proba.shape[1]))
    return np.asarray(worst / np.log(max(len(proba), 2)))
