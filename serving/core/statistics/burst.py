"""Does the challenger fail more often since some moment that nobody knows? Valid at every look.

Evidence that is counted from the beginning is buried under a long healthy spell: what failed meanwhile,
rightly, speaks for the challenger. So evidence is counted from many moments at once.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

Floats = NDArray[np.float64]
BLOCKS = 40  # of a cycle: the moments it may begin at
RECENT = 2 * BLOCKS  # so many blocks back it may have begun; older ones begin with the first
_FRESH, _FIRST_CYCLE, _LATER = 0.3, 0.6, 0.1


def begin_weight(number: NDArray[np.int64]) -> Floats:
    """What the evidence since the beginning of each block weighs; the sum over all blocks is less than 1.

    0.3 for "from the first moment on"; 0.6 evenly over the first cycle, in which most is decided, and the
    rest over each later cycle k with 1 / (k (k + 1)).
    """
    cycle = number // BLOCKS
    later = _LATER / np.maximum(cycle * (cycle + 1), 1)
    whole = np.where(cycle == 0, _FIRST_CYCLE, later)
    return np.where(number == 0, _FRESH, whole / BLOCKS)


def log_since_any(
    counts: Floats, numbers: NDArray[np.int64], log_evidence: Callable[[Floats], Floats]
) -> Floats:
    """ln of sum_j w_j E_j, E_j the evidence of what came since the beginning of block j.

    `counts` (J, C, ...): C counts of each block, `numbers` (J,) ascending, the first of them 0 and standing
    for all blocks that are left out after it; `log_evidence`: (J, C, ...) -> (J, ...), the ln of an
    e-process for the counts from any moment on.

    An e-detector (Shin, Ramdas and Rinaldo 2022) adds up e-processes that begin at all moments, and bounds
    how often it errs in the long run. With weights of sum 1 at most, the sum is an e-process itself: with a
    chance of at most alpha it ever reaches 1 / alpha (Ville 1939). The price is ln(1 / w_j) of evidence,
    about one failure at a 5% canary. What has not begun yet counts as 0, not 1.
    """
    since = np.flip(np.cumsum(np.flip(counts, axis=0), axis=0), axis=0)
    weights = np.log(begin_weight(numbers)).reshape(-1, *[1] * (counts.ndim - 2))
    return np.asarray(logsumexp(weights + log_evidence(since), axis=0))
