import numpy as np

from learning.core.candidates import BATCH, view
from learning.core.herding import bandwidth, coverage, gaussian, ranked
from learning.core.pool import Pool, Query, given
from learning.core.strategies.base import strategy
from learning.core.strategies.margin import unsure


@strategy(
    "uherding",
    title="Uncertainty herding",
    summary="asks what stands for most of the images the model is unsure of; helps from few labels to many.",
    cost="O(N P D): a kernel of N candidates with P = 2,000 probes, then lazily greedy.",
    needs={"proba", "embeddings"},
    screen="margin",
)
def uherding(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    """Bae et al. 2025: argmax_x sum_n U(x_n) max(k(x_n, x) - max_l k(x_n, l), 0), U = 1 - margin.

    The temperature that the paper scales by is not applied: the one at hand is fitted on the hold-out, which
    no choice of what to ask may see.
    """
    uncertainty = unsure(given(pool.proba))
    seen = view(pool, min(k, BATCH), rng, uncertainty)
    h = bandwidth(seen.labelled)
    covered = coverage(gaussian(seen.labelled, seen.probes, h))
    weights = (uncertainty[seen.probe_rows] / len(seen.probes)).astype(np.float32)
    return ranked(seen, gaussian(seen.points, seen.probes, h), covered, weights, k, rng)
