"""An interval of a proportion that may be looked at after every label and still holds."""

import numpy as np
from scipy.special import betaln, xlog1py, xlogy

from learning.core.lazy import lazy

optimize = lazy("scipy.optimize")

PRIOR = 0.5  # Jeffreys: its regret against the best fixed proportion is the least possible, up to a constant


def anytime_interval(correct: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """The proportions p that `correct` of `n` do not contradict, at all n at once (Robbins 1970).

    The beta-binomial mixture B(c + 1/2, n - c + 1/2) / B(1/2, 1/2) over the likelihood p^c (1 - p)^(n - c)
    is a martingale of mean 1 under the true p, so with probability `level` it never reaches 1 / (1 - level)
    (Ville 1939): an interval that stops someone at the best-looking moment is still right. For answers that
    are right or wrong every such martingale is a likelihood ratio, so this is the betting interval of
    Waudby-Smith and Ramdas (2023) with Krichevsky-Trofimov bets, in closed form instead of on a grid. It is
    about 1.9 times as wide as Wilson's at 1,000 labels: what looking all the time costs.

    It covers one fixed model while hold-out labels come in. A newer model is a new question: its answers to
    the old labels are counted afresh, and looking at many models is not paid for.

    Raises ValueError when `correct` does not lie in 0..n or `level` in 0..1.
    """
    if not 0 <= correct <= n:
        raise ValueError(f"There cannot be {correct} right answers of {n}.")
    if not 0 < level < 1:
        raise ValueError(f"The level of an interval must lie between 0 and 1, not be {level}.")
    if n == 0:
        return 0.0, 1.0
    wrong = n - correct
    evidence = float(betaln(correct + PRIOR, wrong + PRIOR) - betaln(PRIOR, PRIOR) + np.log1p(-level))

    def contradicted(p: float) -> float:
        """Above 0 outside of the interval."""
        return evidence - float(xlogy(correct, p) + xlog1py(wrong, -p))

    best, edge = correct / n, 1e-12
    # Less than one wrong answer, as an estimate has, contradicts hardly anything: not even next to 1.
    lowest, highest = edge * best, 1 - edge * (1 - best)
    open_below, open_above = (contradicted(end) <= 0 for end in (lowest, highest))
    low = 0.0 if open_below else float(optimize.brentq(contradicted, lowest, best, xtol=1e-12))
    high = 1.0 if open_above else float(optimize.brentq(contradicted, best, highest, xtol=1e-12))
    return low, high
