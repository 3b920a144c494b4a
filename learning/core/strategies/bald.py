import numpy as np
from scipy.special import entr

from learning.core.committee import scored
from learning.core.pool import Floats, Pool, Query, given, top_k
from learning.core.strategies.base import strategy


@strategy(
    "bald",
    title="BALD",
    summary="asks where sure models disagree; helps when many items are ambiguous to any model.",
    cost="O(C N K): one pass over the probabilities of each of C models.",
    needs={"committee"},
)
def bald(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    return top_k(scored(mutual_information, given(pool.committee)), k)


def mutual_information(members: Floats) -> Floats:
    """Of label and model (Houlsby et al. 2011, eq. 2): H(mean p) - mean H(p), in nats. (C, N, K) -> (N,)"""
    return np.asarray(entr(members.mean(axis=0)).sum(axis=1) - entr(members).sum(axis=2).mean(axis=0))
