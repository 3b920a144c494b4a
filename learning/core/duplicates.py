"""Near-copies are not asked twice, whichever strategy ranks them."""

import numpy as np
from numpy.typing import NDArray

from learning.core.geometry import Float32, blocks, unit

HEAD = 300  # places of a ranking that are looked at: more than a round asks
SAME = 1e-3  # cosine distance up to which two images count as one


def copies(points: Float32, known: Float32 | None) -> NDArray[np.bool_]:
    """Which points (n, D), in this order, nearly equal a known one (L, D) or an earlier one that is no copy.

    A row of zeros or of what is not a number is nobody's copy. O(n (n + L) D).
    """
    with np.errstate(invalid="ignore"):
        rows = unit(points)
        copy = np.zeros(len(rows), dtype=bool)
        others = rows[:0] if known is None else known
        for block in blocks(len(others)):
            copy |= (rows @ unit(others[block]).T >= 1 - SAME).any(axis=1)
        alike = np.tril(rows @ rows.T >= 1 - SAME, -1)  # (n, n)
    for place in np.flatnonzero(alike.any(axis=1)):
        copy[place] |= bool((alike[place] & ~copy).any())
    return copy
