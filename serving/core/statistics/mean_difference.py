"""A difference of means with an interval that may be looked at all the time."""

import math


def tuning(alpha: float, planned: float) -> float:
    """r = sqrt((-2 ln alpha + ln(1 - 2 ln alpha)) / N*): the sequence is narrowest at N* = `planned`
    observations (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, appendix B.2).
    """
    return math.sqrt((-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / planned)


def half_width(variance: float, n: float, alpha: float, planned: float) -> float:
    """s sqrt(N) sqrt(2 (N r^2 + 1) / (N^2 r^2) ln(sqrt(N r^2 + 1) / alpha)), s^2 = `variance` of the estimate
    after N = `n` observations of both arms together.

    The asymptotic confidence sequence (Waudby-Smith et al. 2024, equation 8): as n grows it covers at all
    times at once with probability 1 - alpha, as a normal interval does at one. Not before some hundred
    observations: a mode asks for a least number of labels.
    """
    if n == 0:
        return math.inf
    u = n * tuning(alpha, planned) ** 2 + 1
    return math.sqrt(variance * n) * math.sqrt(2 * u / (n * (u - 1)) * math.log(math.sqrt(u) / alpha))


def anytime_p(difference: float, variance: float, n: float, alpha: float, planned: float) -> float:
    """The least level at which the sequence tuned for `alpha` excludes 0; half_width solved for alpha."""
    if variance == 0 or n == 0:
        return 1.0
    u = n * tuning(alpha, planned) ** 2 + 1
    exponent = -(difference**2) * (u - 1) / (2 * variance * u)
    return min(1.0, math.sqrt(u) * math.exp(exponent))
