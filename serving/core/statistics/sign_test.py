"""Which of two is better, from pairs that tell them apart: valid at every look."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln

PRIOR = 12.0  # a: expects an advantage of about 1 / sqrt(8 a), 10 points, among the pairs that tell


def log_sign_evidence(wins: ArrayLike, losses: ArrayLike, prior: float = PRIOR) -> NDArray[np.float64]:
    """ln E, E = 2^n B(a + b, a + c) / B(a, a) of b wins and c losses, n = b + c; of arrays, elementwise.

    McNemar's test (1947) looks only at the items that exactly one of two models has right: if the models are
    equally good, each is a fair coin. The mixture of all coins by Beta(a, a) over the fair one is a
    martingale of mean 1, so with probability 1 - alpha it never reaches 1 / alpha (Ville 1939; Robbins 1970):
    it may be looked at after every label. The same evidence decides interleaving, where a win is a choice.
    """
    b, c = np.asarray(wins, float), np.asarray(losses, float)
    return np.asarray((b + c) * np.log(2) + betaln(prior + b, prior + c) - betaln(prior, prior))
