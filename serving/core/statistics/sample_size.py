"""About how many labels it will take, to know before a rollout begins whether it can end."""

from bisect import bisect_right
from collections.abc import Callable

import numpy as np
from scipy.special import betainc, ndtri

from serving.core.statistics.mean_difference import half_width
from serving.core.statistics.sign_test import log_sign_evidence

POWER = 0.8
_MOST = 10**8


def labels_by_arms(
    accuracy: float, difference: float, alpha: float, share: float = 0.5, power: float = POWER
) -> int:
    """Of both arms together, until the confidence sequence planned for so many is expected to exclude 0:
    where half_width + z_power * standard error = difference. `share` of the units go to the challenger.
    Both accuracies lie in 0..1.
    """
    better = accuracy + difference
    spread = accuracy * (1 - accuracy) / (1 - share) + better * (1 - better) / share
    z = float(ndtri(power))

    def enough(n: int) -> bool:
        width = half_width(spread / n, n, alpha, n) + z * np.sqrt(spread / n)
        return bool(width <= abs(difference))

    return _least(enough)


def labels_by_pairs(only_new: float, only_old: float, alpha: float, power: float = POWER) -> int:
    """Until the sign evidence is expected to reach 1 / alpha, where a label finds only the challenger right
    with the chance `only_new`, only the champion with `only_old`: the first n at which it has by then with
    the chance `power`. It may be less, since every label is looked at.

    Raises ValueError for chances of two models that nothing tells apart.
    """
    tells = only_new + only_old
    if not (0 < tells <= 1 and only_new != only_old):
        raise ValueError("Two models need answers that differ, and one that is better, to be told apart.")
    ahead = max(only_new, only_old) / tells

    def enough(n: int) -> bool:
        pairs = n * tells
        few = range(int(pairs / 2) + 1)
        most = bisect_right(few, np.log(alpha), key=lambda lost: -log_sign_evidence(pairs - lost, lost)) - 1
        # The chance of at most so many losses, as an incomplete beta function: pairs need not be whole.
        return most >= 0 and float(betainc(pairs - most, most + 1, ahead)) >= power

    return _least(enough)


def _least(enough: Callable[[int], bool]) -> int:
    """The least n that is enough, of a condition that stays true."""
    high = 2
    while not enough(high):
        high *= 2
        if high > _MOST:
            return _MOST
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
