"""Is one success rate above another? Valid at every look, and when the arms were chosen adaptively."""

import numpy as np
from scipy.special import betaln, xlog1py, xlogy

PRIOR = 0.5


def log_better_evidence(right: float, wrong: float, other_right: float, other_wrong: float) -> float:
    """ln E against p <= q, of the arm with `right` and `wrong` answers and the other one.

    Jeffreys mixtures of both likelihoods over the largest likelihood that p <= q allows (universal inference;
    Wasserman, Ramdas and Balakrishnan 2020, with mixtures as in Robbins 1970). Every answer has the success
    rate of its arm whatever led to choosing that arm, so the mixture stays a martingale under a bandit, for
    which tests of fixed samples err.
    """
    n, m = right + wrong, other_right + other_wrong
    if n == 0 or m == 0:
        return 0.0
    mixture = betaln(right + PRIOR, wrong + PRIOR) + betaln(other_right + PRIOR, other_wrong + PRIOR)
    p, q = right / n, other_right / m
    if p > q:
        p = q = (right + other_right) / (n + m)
    allowed = xlogy(right, p) + xlog1py(wrong, -p) + xlogy(other_right, q) + xlog1py(other_wrong, -q)
    return float(mixture - 2 * betaln(PRIOR, PRIOR) - np.float64(allowed))
