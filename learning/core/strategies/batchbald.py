import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from learning.core.committee import scored
from learning.core.joint_entropy import JointEntropy
from learning.core.pool import Floats, Pool, Query, batch_first, given, top_k
from learning.core.strategies.bald import mutual_information
from learning.core.strategies.base import strategy

BATCH = 32  # what a committee can be told is soon told: at most log C nats in all
CANDIDATES = 500


@strategy(
    "batchbald",
    title="BatchBALD",
    summary="asks the batch that together says most about where models disagree; helps with small batches.",
    cost="O(C N K), then O(S C M K) for each of 32 places: M = 500 candidates, S up to 1,024 joint answers.",
    needs={"committee"},
    screen="bald",
)
def batchbald(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    """Kirsch et al. 2019, algorithm 1, among the CANDIDATES of most BALD; the rest follows by BALD."""
    members = given(pool.committee)  # (C, N, K)
    information = scored(mutual_information, members)
    rows = np.sort(top_k(information, CANDIDATES).indices)
    chosen = greedy(members[:, rows].astype(np.float64), min(k, BATCH), rng)
    return batch_first(rows[chosen], information, k)


def greedy(members: Floats, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Up to `count` of the items of (C, n, K), each adding most to the joint mutual information; fewer when
    nothing is left to learn.

    I(y_1..y_b; model) = H(y_1..y_b) - sum_i E_c H(y_i | c), equation 7.
    """
    within = entr(members).sum(axis=2).mean(axis=0)  # (n,), E_c H(y | c)
    joint = JointEntropy(members, rng)
    chosen: list[int] = []
    while len(chosen) < min(count, members.shape[1]):
        gain = joint.with_each() - joint.entropy() - within
        gain[chosen] = -np.inf
        best = int(gain.argmax())
        if gain[best] < 1e-9:
            break
        chosen.append(best)
        joint.add(best)
    return np.array(chosen, dtype=np.int64)
