"""Does the challenger fail more often? Counts of rare events, valid at every look."""

import numpy as np
from scipy.special import betainc, betaln, xlog1py, xlogy

_LEAST = -700.0  # ln of the least evidence that is told


def null_share(challenger: float, champion: float, weight: float, ratio: float = 1.0) -> float:
    """The share of all events that a challenger has whose rate is `ratio` times the champion's.

    `challenger` and `champion` are requests, `weight` the share of requests the challenger was to get. Where
    few clients stick to the arms, it may have got more: then that is its share, or they would be taken for
    failures.
    """
    got = challenger / (challenger + champion) if challenger + champion else weight
    share = max(weight, got)
    return min(ratio * share / (ratio * share + 1 - share), 1 - 1e-9)


def log_excess_evidence(challenger: float, champion: float, share: float) -> float:
    """ln E against: each event (an error, a slow answer) falls on the challenger with a chance of at most
    `share`.

    Requests go to the arms at random, so of the events alone that chance is known: the conditional test of
    two Poisson rates (Przyborowski and Wilenski 1940). The uniform mixture of the coins above `share`, over
    the coin `share`, is a supermartingale under all coins up to it, in closed form by the incomplete beta
    function. All concurrent traffic of the champion is the baseline: with one as small as a 5% canary, an
    error could count at most twofold instead of up to twentyfold, and it would take 11 to be sure.
    """
    above = 1 - float(betainc(challenger + 1, champion + 1, share))
    if above <= 0:
        return _LEAST
    mixture = float(betaln(challenger + 1, champion + 1) + np.log(above) - np.log1p(-share))
    return max(_LEAST, mixture - float(xlogy(challenger, share) + xlog1py(champion, -share)))
