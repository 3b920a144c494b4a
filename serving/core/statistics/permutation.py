"""Chances of a difference by dealing anew what was seen, so whatever it is distributed like."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MOST = 10_000  # deals
ENOUGH = 20  # of them at least as far off as what was seen
BLOCK = 250  # at a time: some MB


def dealt_p(deals: Callable[[int], Flags]) -> float:
    """The chance of what was seen, where `deals` makes so many deals and says of each whether it is at least
    as far off. If all deals are as likely as what was seen, P(p <= a) <= a, exactly.

    It stops once ENOUGH were as far off (Besag and Clifford 1991), so that only what is rare is costly.
    """
    as_far = 0
    for before in range(0, MOST, BLOCK):
        found = deals(BLOCK)
        if as_far + found.sum() >= ENOUGH:
            last = int(np.flatnonzero(found)[ENOUGH - as_far - 1])
            return ENOUGH / (before + last + 1)
        as_far += int(found.sum())
    return (as_far + 1) / (MOST + 1)


def permutation_p(one: Floats, other: Floats, rng: np.random.Generator) -> float:
    """Of samples (n, k) and (m, k): the chance that dealing all rows to both anew sets their means as far
    apart, in the spreads of all, as they are.
    """
    both = np.concatenate([one, other])
    both -= both.mean(axis=0)
    spread, axes = np.linalg.eigh(both.T @ both)
    kept = spread > 1e-12 * max(spread[-1], 1e-300)
    white = both @ (axes[:, kept] / np.sqrt(spread[kept]))  # (n + m, k)
    m = len(other)
    # As the rows add up to 0, the sum of one side says how far apart both are.
    seen = np.square(white[len(one) :].sum(axis=0)).sum() * (1 - 1e-9)

    def deals(count: int) -> Flags:
        chosen = rng.random((count, len(white))).argpartition(m - 1, axis=1)[:, :m]
        sides = np.zeros((count, len(white)))
        np.put_along_axis(sides, chosen, 1.0, axis=1)
        far: Flags = np.square(sides @ white).sum(axis=1) >= seen
        return far

    return dealt_p(deals)
