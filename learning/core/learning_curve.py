"""How much would more labels bring? Accuracy against labels, extrapolated, with what is not known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.core.lazy import lazy

stats = lazy("scipy.stats")

DRAWS = 2**13
SLACK = 0.004  # how far, in accuracy, a real project's curve strays from any smooth one
STEEPNESS = (0.1, 2.0)  # of b: measured curves lie between


@dataclass(frozen=True)
class CurvePoint:
    labels: int
    correct: float  # of the hold-out
    n: int  # size of the hold-out


@dataclass(frozen=True)
class Gain:
    """Expected change of the accuracy by `more` labels, with its 95% interval; all of 0..1."""

    more: int
    mean: float
    low: float
    high: float


def predicted_gain(points: list[CurvePoint], more: int = 100) -> Gain:
    """From the power law  acc(n) = c - a n^-b  (Hestness et al. 2017): what `more` labels after the last add.

    Bayesian, so that three points, a flat or a falling curve give an answer, if a wide one. The law is
    written from the last point, N: acc(n) = m + g (1 - (n / N)^-b), with the level m there and g <= 1 - m
    left to gain. Priors: m around the last measurement, g / (1 - m) = u^2 for uniform u, log b uniform. The
    posterior is that of fixed quasi-random draws (Sobol) weighted by the likelihood of the points, each a
    binomial proportion plus SLACK: nothing is random.

    Raises ValueError without three points of growing numbers of labels, each with a hold-out.
    """
    labels = np.array([p.labels for p in points], dtype=np.float64)
    if len(points) < 3 or (np.diff(labels) <= 0).any() or labels[0] < 1:
        raise ValueError("A learning curve needs three points or more, with growing numbers of labels.")
    sizes = np.array([p.n for p in points], dtype=np.float64)
    correct = np.array([p.correct for p in points], dtype=np.float64)
    if more < 1 or (sizes < 1).any() or (correct < 0).any() or (correct > sizes).any():
        raise ValueError("Each point needs a hold-out, with 0 to all answers right, and `more` at least 1.")
    accuracy = correct / sizes
    smoothed = (correct + 1) / (sizes + 2)
    spread = np.sqrt(smoothed * (1 - smoothed) / sizes + SLACK**2)  # (P,)
    level, rest, steep = _draws(accuracy[-1], spread[-1])
    curve = level + rest * (1 - (labels[:, None] / labels[-1]) ** -steep)  # (P, draws)
    misfit = (((accuracy[:, None] - curve) / spread[:, None]) ** 2).sum(axis=0)
    weight = np.exp(-(misfit - misfit.min()) / 2)
    weight /= weight.sum()
    gain = rest * (1 - (1 + more / labels[-1]) ** -steep)
    order = np.argsort(gain)
    low, high = np.interp([0.025, 0.975], np.cumsum(weight[order]), gain[order])
    return Gain(more, float(weight @ gain), float(low), float(high))


def _draws(accuracy: float, spread: float) -> tuple[NDArray[np.float64], ...]:
    """Level, what is left to gain and steepness, (draws,) each."""
    u = stats.qmc.Sobol(3, scramble=False).random(DRAWS).T
    low, high = max(accuracy - 5 * spread, 0.0), min(accuracy + 5 * spread, 1.0)
    level = low + (high - low) * u[0]
    steep = np.exp(np.log(STEEPNESS[0]) + u[2] * np.log(STEEPNESS[1] / STEEPNESS[0]))
    return level, (1 - level) * u[1] ** 2, steep
