"""Quantiles of times, out of how many took about as long: counts add up over time, and no time is kept."""

import math
from collections.abc import Mapping

STEP = math.log(1.01)  # a bin is 1% wide, so no time is told more than half a percent wrong
LEAST = 0.001  # ms; what is faster is told as that


def bin_of(ms: float) -> int:
    """floor(ln(ms) / STEP)"""
    return math.floor(math.log(max(ms, LEAST)) / STEP)


def quantile(counts: Mapping[int, int], q: float) -> float | None:
    """The time, in ms, that the share `q` of all did not exceed: the middle of the first bin up to which
    there are as many. None without any.
    """
    wanted, seen = q * sum(counts.values()), 0
    for number in sorted(counts):
        seen += counts[number]
        if seen and seen >= wanted:
            return math.exp((number + 0.5) * STEP)
    return None
