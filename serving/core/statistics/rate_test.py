"""Does the challenger fail more often? Counts of rare events, valid at every look."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaln, xlog1py, xlogy

Floats = NDArray[np.float64]
_LEAST = -700.0  # ln of the least evidence that is told


def null_share(challenger: ArrayLike, champion: ArrayLike, weight: float, ratio: float = 1.0) -> Floats:
    """The share of all events that a challenger has whose rate is `ratio` times the champion's.

    `challenger` and `champion` are requests, `weight` the share of requests the challenger was to get. Where
    few clients stick to the arms, it may have got more: then that is its share, or they would be taken for
    failures.
    """
    new, all_of_them = np.asarray(challenger, float), np.add(challenger, champion).astype(float)
    got = np.divide(new, all_of_them, out=np.full(all_of_them.shape, weight), where=all_of_them > 0)
    share = np.maximum(weight, got)
    return np.asarray(np.minimum(ratio * share / (ratio * share + 1 - share), 1 - 1e-9))


def log_excess_evidence(challenger: ArrayLike, champion: ArrayLike, share: ArrayLike) -> Floats:
    """ln E against: each event (an error, a slow answer) falls on the challenger with a chance of at most
    `share`. Of arrays, elementwise.

    Requests go to the arms at random, so of the events alone that chance is known: the conditional test of
    two Poisson rates (Przyborowski and Wilenski 1940). The uniform mixture of the coins above `share`, over
    the coin `share`, is a supermartingale under all coins up to it, in closed form by the incomplete beta
    function. All concurrent traffic of the champion is the baseline: with one as small as a 5% canary, an
    error could count at most twofold instead of up to twentyfold, and it would take 11 to be sure.
    """
    new, old, coin = (np.asarray(one, float) for one in (challenger, champion, share))
    above = betainc(old + 1, new + 1, 1 - coin)
    mixture = betaln(new + 1, old + 1) + np.log(np.maximum(above, 1e-300)) - np.log1p(-coin)
    evidence = mixture - xlogy(new, coin) - xlog1py(old, -coin)
    return np.where(above > 1e-300, np.maximum(evidence, _LEAST), _LEAST)


def log_excess(counts: Floats, share_now: float, ratio: float) -> Floats:
    """(J, 4, ...) requests of challenger and champion, then events of both -> (J, ...)"""
    new, old, new_events, old_events = np.moveaxis(counts, 1, 0)
    return log_excess_evidence(new_events, old_events, null_share(new, old, share_now, ratio))
