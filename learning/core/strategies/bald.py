import numpy as np
from scipy.special import entr

from learning.core.pool import Pool, Query, given, top_k
from learning.core.strategies.base import strategy


@strategy(
    "bald",
    title="BALD",
    summary="asks where sure models disagree; helps when many items are ambiguous to any model.",
    needs={"committee"},
)
def bald(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    """Mutual information of label and model (Houlsby et al. 2011, eq. 2): H(mean p) - mean H(p), in nats."""
    members = given(pool.committee)  # (C, N, K)
    return top_k(entr(members.mean(axis=0)).sum(axis=1) - entr(members).sum(axis=2).mean(axis=0), k)
