"""A difference of means with an interval that may be looked at all the time."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def tuning(alpha: float, planned: float) -> float:
    """r = sqrt((-2 ln alpha + ln(1 - 2 ln alpha)) / N*): the sequence is narrowest at N* = `planned`
    observations (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, appendix B.2).
    """
    return float(np.sqrt((-2 * np.log(alpha) + np.log(1 - 2 * np.log(alpha))) / planned))


def half_width(variance: ArrayLike, n: ArrayLike, alpha: float, planned: float) -> Floats:
    """s sqrt(N) sqrt(2 (N r^2 + 1) / (N^2 r^2) ln(sqrt(N r^2 + 1) / alpha)), s^2 = `variance` of the estimate
    after N = `n` >= 1 observations of both arms together; of arrays, elementwise.

    The asymptotic confidence sequence (Waudby-Smith et al. 2024, equation 8): as n grows it covers at all
    times at once with probability 1 - alpha, as a normal interval does at one. Not before some hundred
    observations: a mode asks for a least number of labels.
    """
    s2, many = np.asarray(variance, float), np.asarray(n, float)
    u = many * tuning(alpha, planned) ** 2 + 1
    return np.asarray(np.sqrt(s2 * 2 * u / (u - 1) * np.log(np.sqrt(u) / alpha)))


def anytime_p(
    difference: ArrayLike, variance: ArrayLike, n: ArrayLike, alpha: float, planned: float
) -> Floats:
    """The least level at which the sequence tuned for `alpha` excludes 0: half_width solved for alpha."""
    s2, many = np.asarray(variance, float), np.asarray(n, float)
    u = many * tuning(alpha, planned) ** 2 + 1
    # Where nothing varies, any difference is one: all right against all wrong.
    certain = np.where(np.broadcast_to(difference, np.broadcast(s2, difference).shape) == 0, 0.0, np.inf)
    squared = np.divide(np.square(difference), s2, out=certain, where=s2 > 0)
    return np.asarray(np.minimum(1.0, np.sqrt(u) * np.exp(-squared * (u - 1) / (2 * u))))
