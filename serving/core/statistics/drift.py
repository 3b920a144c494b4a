"""Has live traffic left what the model was trained on? Its answers against those to the training pool.

The test of answers and that of inputs (`input_drift`) look once at the same window of a fixed number of
different images, and then a new one begins. Each raises a notice at half of ALPHA (Bonferroni), so that
without drift at most about one window in 1 / ALPHA raises a false one, however long the service runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from serving.core.statistics.agreement import jensen_shannon
from serving.core.statistics.permutation import dealt_p

Floats = NDArray[np.float64]

ALPHA = 0.001  # of a window
NOTICED = ALPHA / 2  # of a test
WINDOW = 500  # predictions


@dataclass(frozen=True)
class Drift:
    p: float  # the chance of a difference like this or larger without drift
    size: float | None  # how far off: bits of divergence, or standard deviations
    n: int  # predictions of the window


def answers_drift(pool: Mapping[str, int], live: Mapping[str, int], rng: np.random.Generator) -> Drift:
    """Of two histograms of predicted classes: are both drawn from one distribution?

    The likelihood ratio of the two tables, G = 2 sum O ln(O / E), judged by dealing all answers to both anew.
    Its own limit (chi-squared, Wilks 1938) raised too many false notices where a class is rare. `size` is
    the Jensen-Shannon divergence.
    """
    names = sorted({*pool, *live})
    here = np.array([live.get(one, 0) for one in names], np.int64)  # (K,)
    every = here + np.array([pool.get(one, 0) for one in names], np.int64)
    n, apart = int(here.sum()), jensen_shannon(pool, live)
    if apart is None:
        return Drift(1.0, None, n)

    def ratio(counts: NDArray[np.int64]) -> Floats:
        """(..., K) -> (...): half of G, but for what all deals have in common."""
        others = every - counts
        found: Floats = (xlogy(counts, counts) + xlogy(others, others)).sum(axis=-1)
        return found

    seen = float(ratio(here))
    seen -= 1e-9 * abs(seen)
    return Drift(
        dealt_p(lambda count: ratio(rng.multivariate_hypergeometric(every, n, count)) >= seen), apart, n
    )
