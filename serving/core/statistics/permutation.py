"""Two samples of vectors: do their means differ? By permutations, so whatever they are distributed like."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST = 10_000  # permutations
ENOUGH = 20  # of them at least as far off as what was seen
BLOCK = 250  # at a time: some MB


def permutation_p(one: Floats, other: Floats, rng: np.random.Generator) -> float:
    """Of samples (n, k) and (m, k): the chance that dealing all rows to both anew sets their means as far
    apart, in the spreads of all, as they are. For one distribution P(p <= a) <= a, exactly.

    It stops once ENOUGH deals were as far off (Besag and Clifford 1991), so that only what is rare is costly.
    """
    both = np.concatenate([one, other])
    both -= both.mean(axis=0)
    spread, axes = np.linalg.eigh(both.T @ both)
    kept = spread > 1e-12 * max(spread[-1], 1e-300)
    white = both @ (axes[:, kept] / np.sqrt(spread[kept]))  # (n + m, k)
    m = len(other)
    # As the rows add up to 0, the sum of one side says how far apart both are.
    seen = np.square(white[len(one) :].sum(axis=0)).sum() * (1 - 1e-9)
    as_far = 0
    for dealt in range(BLOCK, MOST + 1, BLOCK):
        chosen = rng.random((BLOCK, len(white))).argpartition(m - 1, axis=1)[:, :m]
        sides = np.zeros((BLOCK, len(white)))
        np.put_along_axis(sides, chosen, 1.0, axis=1)
        found = np.square(sides @ white).sum(axis=1) >= seen
        if as_far + found.sum() >= ENOUGH:
            last = int(np.flatnonzero(found)[ENOUGH - as_far - 1])
            return ENOUGH / (dealt - BLOCK + last + 1)
        as_far += int(found.sum())
    return (as_far + 1) / (MOST + 1)
