"""Is an accuracy proven? A sequential test of a proportion on a hold-out whose size is known."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from learning.core.confidence_sequence import anytime_interval

LONGEST = 2_000  # labels; for a larger hold-out, a plan for all of it would cost more than it brings
STEPS = 1_000  # an interval's ends are multiples of one over this
# Of the error of an interval, at its lower end, which decides, and at its upper one.
BELOW, ABOVE = 0.8, 0.2
_NOTHING = 1e-15  # chances that are not followed any further


@lru_cache(maxsize=2048)
def critical_counts(p: float, horizon: int, alpha: float, until: int | None = None) -> NDArray[np.int32]:
    """(H + 1,): the number of right answers of n, n = 0..H, from which on an accuracy of p is refuted.
    With `until`, only as far as that n.

    The answers come one by one, at most `horizon` of them, and are looked at after each. If the accuracy is
    p or less, the chance that they ever reach these counts is at most `alpha`: exactly so, by following the
    binomial walk. It is spent evenly over the labels (Lan and DeMets 1983, with alpha t). At the end, the
    share needed lies 2.2 standard deviations above p for alpha = .04: one look would need 1.75, a mixture
    that knows no end 3.7.
    """
    last = horizon if until is None else min(until, horizon)
    found = np.empty(last + 1, np.int32)
    found[0] = 1
    chance, first, unspent = np.ones(1), 0, 0.0  # chance[i]: of first + i right answers, nothing refuted yet
    for n in range(1, last + 1):
        chance = np.concatenate([chance * (1 - p), [0.0]]) + np.concatenate([[0.0], chance * p])
        unspent += alpha / horizon
        above = np.cumsum(chance[::-1])
        cut = int(np.searchsorted(above, unspent, side="right"))
        if cut:
            unspent -= float(above[cut - 1])
            chance = chance[:-cut]
        found[n] = first + len(chance)
        low = int(np.searchsorted(np.cumsum(chance), _NOTHING))
        chance, first = chance[low:], first + low
    found.setflags(write=False)
    return found


def _critical_count(p: float, n: int, horizon: int, alpha: float) -> int:
    # Up to a power of two, so that the next labels find it known.
    return int(critical_counts(p, horizon, alpha, 1 << n.bit_length())[n])


def sequential_interval(correct: int, n: int, horizon: int, level: float = 0.95) -> tuple[float, float]:
    """The proportions that `correct` of `n` answers do not refute, at all n <= horizon at once: repeated
    confidence intervals (Jennison and Turnbull 1989), rounded outwards to tenths of a percent. Most of the
    error is spent below: that is the end which decides. Beyond LONGEST, and for more labels than planned, it
    is `anytime_interval`.
    """
    if horizon > LONGEST or n > horizon:
        return anytime_interval(correct, n, level)
    if not 0 <= correct <= n:
        raise ValueError(f"There cannot be {correct} right answers of {n}.")
    low = _refuted_below(correct, n, horizon, BELOW * (1 - level))
    return low, 1 - _refuted_below(n - correct, n, horizon, ABOVE * (1 - level))


def _refuted_below(correct: int, n: int, horizon: int, alpha: float) -> float:
    low, high = 0, int(STEPS * correct / n) + 1 if n else 1
    while high - low > 1:
        middle = (low + high) // 2
        if correct >= _critical_count(middle / STEPS, n, horizon, alpha):
            low = middle
        else:
            high = middle
    return low / STEPS


def proven(correct: int, n: int, target: float, horizon: int, level: float = 0.95) -> bool:
    """Whether an accuracy of `target` is refuted from below, as the interval's lower end says."""
    if horizon > LONGEST or n > horizon:
        return anytime_interval(correct, n, level)[0] >= target
    return bool(correct >= _critical_count(target, n, horizon, BELOW * (1 - level)))


def labels_to_prove(correct: int, n: int, target: float, horizon: int, level: float = 0.95) -> int | None:
    """How many more labels would prove the target if the share of right answers stays; None if all of the
    hold-out would not, or it is beyond LONGEST.
    """
    if n == 0 or not n <= horizon <= LONGEST:
        return None
    needed = critical_counts(target, horizon, BELOW * (1 - level))[n:]
    enough = np.flatnonzero(correct / n * np.arange(n, horizon + 1) >= needed)
    return int(enough[0]) if len(enough) else None
