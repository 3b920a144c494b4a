import numpy as np

from learning.core.candidates import BATCH, view
from learning.core.herding import bandwidth, coverage, gaussian, ranked
from learning.core.pool import Pool, Query
from learning.core.strategies.base import strategy


@strategy(
    "maxherding",
    title="Max herding",
    summary="asks what stands for most of the images not yet covered; helps with the first labels, before a "
    "model is worth asking.",
    cost="O(N P D): a kernel of N candidates with P = 2,000 probes, then lazily greedy.",
    needs={"embeddings"},
    screen="random",
)
def maxherding(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    """Bae et al. 2024: argmax_x sum_n max(k(x_n, x) - max_l k(x_n, l), 0) over probes n and labelled l."""
    seen = view(pool, min(k, BATCH), rng)
    h = bandwidth(seen.labelled)
    covered = coverage(gaussian(seen.labelled, seen.probes, h))
    weights = np.full(len(seen.probes), 1 / len(seen.probes), dtype=np.float32)
    return ranked(seen, gaussian(seen.points, seen.probes, h), covered, weights, k, rng)
