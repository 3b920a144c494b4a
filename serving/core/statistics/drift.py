"""Has live traffic left what the model was trained on? Its answers against those to the training pool.

The test of answers and that of inputs (`input_drift`) look once at the same window of a fixed number of
different images, and then a new one begins. Each raises a notice at half of ALPHA (Bonferroni), so that
without drift at most about one window in 1 / ALPHA raises a false one, however long the service runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from serving.core.statistics.agreement import jensen_shannon

Floats = NDArray[np.float64]

ALPHA = 0.001  # of a window
NOTICED = ALPHA / 2  # of a test
WINDOW = 500  # predictions
LEAST_EXPECTED = 5.0  # of a class in a window; rarer ones are counted together


@dataclass(frozen=True)
class Drift:
    p: float  # the chance of a difference like this or larger without drift
    size: float | None  # how far off: bits of divergence, or standard deviations
    n: int  # predictions of the window


def answers_drift(pool: Mapping[str, int], live: Mapping[str, int]) -> Drift:
    """Of two histograms of predicted classes: the likelihood-ratio test that both come from one distribution.
    G = 2 sum O ln(O / E), chi-squared with one degree less than classes (Wilks 1938). It is 2 ln 2 N times
    the Jensen-Shannon divergence weighted by the two sizes. `size` is that divergence with even weights.
    """
    n = sum(live.values())
    table = _common(
        np.array([[side.get(one, 0) for one in sorted({*pool, *live})] for side in (pool, live)], float)
    )
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return Drift(1.0, jensen_shannon(pool, live), n)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    seen = table > 0
    g = 2 * float((table[seen] * np.log(table[seen] / expected[seen])).sum())
    return Drift(float(chdtrc(table.shape[1] - 1, max(0.0, g))), jensen_shannon(pool, live), n)


def _common(table: Floats) -> Floats:
    """Classes too rare for the approximation, together."""
    share = table.sum(axis=0) / max(1.0, table.sum())
    rare = share * table[1].sum() < LEAST_EXPECTED
    together = table[:, rare].sum(axis=1, keepdims=True)
    return np.concatenate([table[:, ~rare], together], axis=1) if rare.any() else table
