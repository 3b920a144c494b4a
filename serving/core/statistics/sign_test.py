"""Which of two is better, from pairs that tell them apart: valid at every look."""

import numpy as np
from scipy.special import betaln

PRIOR = (
    20.0  # a: the mixture expects an advantage of about 1 / sqrt(4 a), 11 points, among the pairs that tell
)


def log_sign_evidence(wins: float, losses: float, prior: float = PRIOR) -> float:
    """ln E, E = 2^n B(a + b, a + c) / B(a, a) of b wins and c losses, n = b + c.

    McNemar's test (1947) looks only at the items that exactly one of two models has right: if the models are
    equally good, each is a fair coin. The mixture of all coins by Beta(a, a) over the fair one is a
    martingale of mean 1, so with probability 1 - alpha it never reaches 1 / alpha (Ville 1939; Robbins 1970):
    it may be looked at after every label. The same evidence decides interleaving, where a win is a choice.
    """
    pairs = wins + losses
    return float(pairs * np.log(2) + betaln(prior + wins, prior + losses) - betaln(prior, prior))
