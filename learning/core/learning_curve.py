"""How much would more labels bring? Accuracy against labels, extrapolated, with what is not known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.core.lazy import lazy

stats = lazy("scipy.stats")

DRAWS = 2**13
QUANTILES = 64
SLACK = 0.004  # how far, in accuracy, a real project's curve strays from any smooth one
STEEPNESS = (0.1, 2.0)  # of b: measured curves lie between


@dataclass(frozen=True)
class CurvePoint:
    labels: int
    correct: float  # of the hold-out
    n: float  # size of the hold-out


@dataclass(frozen=True)
class Gain:
    """Expected change of the accuracy by `more` labels, with its 95% interval; all of 0..1."""

    more: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Forecast:
    """The accuracy expected at a number of labels, with its 95% interval; 0..1."""

    labels: int
    mean: float
    low: float
    high: float


def predicted_gain(points: list[CurvePoint], more: int = 100) -> Gain:
    """What `more` labels after the last point add, by the posterior of `_posterior`. Raises ValueError."""
    if more < 1:
        raise ValueError(f"A gain is that of one more label at least, not of {more}.")
    found = _posterior(points)
    gain = found.gain(more)
    low, high = _quantiles(gain, found.weight, np.array([0.025, 0.975]))
    return Gain(more, float(found.weight @ gain), float(low), float(high))


def predicted_curve(points: list[CurvePoint], ahead: list[int]) -> list[Forecast]:
    """The accuracy after each number of further labels in `ahead`, 0 or more: the last measurement, with its
    own uncertainty (Jeffreys), plus the gain. All points are measured on much the same hold-out items, so
    that together they know the gain better than the last one alone, but not the level. Raises ValueError.
    """
    if any(more < 0 for more in ahead):
        raise ValueError("A curve is continued forwards: give numbers of further labels from 0 on.")
    found, last = _posterior(points), points[-1]
    share = (np.arange(QUANTILES) + 0.5) / QUANTILES
    level = stats.beta.ppf(share, last.correct + 0.5, last.n - last.correct + 0.5)
    forecasts = []
    for more in ahead:
        gain = _quantiles(found.gain(more), found.weight, share)
        reached = np.minimum(level[:, None] + gain, 1).ravel()
        low, high = np.quantile(reached, [0.025, 0.975])
        forecasts.append(Forecast(last.labels + more, float(reached.mean()), float(low), float(high)))
    return forecasts


@dataclass(frozen=True)
class _Posterior:
    """Curves (draws,) and the weight of each, of sum 1."""

    last: float  # labels of the last point
    level: NDArray[np.float64]
    rest: NDArray[np.float64]
    steep: NDArray[np.float64]
    weight: NDArray[np.float64]

    def gain(self, more: int) -> NDArray[np.float64]:
        return np.asarray(self.rest * (1 - (1 + more / self.last) ** -self.steep))


def _posterior(points: list[CurvePoint]) -> _Posterior:
    """Of the power law  acc(n) = c - a n^-b  (Hestness et al. 2017), given the points.

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
    if (sizes < 1).any() or (correct < 0).any() or (correct > sizes).any():
        raise ValueError("Each point needs a hold-out, with 0 to all answers right.")
    accuracy = correct / sizes
    smoothed = (correct + 1) / (sizes + 2)
    spread = np.sqrt(smoothed * (1 - smoothed) / sizes + SLACK**2)  # (P,)
    level, rest, steep = _draws(accuracy[-1], spread[-1])
    curve = level + rest * (1 - (labels[:, None] / labels[-1]) ** -steep)  # (P, draws)
    misfit = (((accuracy[:, None] - curve) / spread[:, None]) ** 2).sum(axis=0)
    weight = np.exp(-(misfit - misfit.min()) / 2)
    return _Posterior(float(labels[-1]), level, rest, steep, weight / weight.sum())


def _quantiles(
    values: NDArray[np.float64], weight: NDArray[np.float64], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    order = np.argsort(values)
    return np.interp(shares, np.cumsum(weight[order]), values[order])


def _draws(accuracy: float, spread: float) -> tuple[NDArray[np.float64], ...]:
    """Level, what is left to gain and steepness, (draws,) each."""
    u = stats.qmc.Sobol(3, scramble=False).random(DRAWS).T
    low, high = max(accuracy - 5 * spread, 0.0), min(accuracy + 5 * spread, 1.0)
    level = low + (high - low) * u[0]
    steep = np.exp(np.log(STEEPNESS[0]) + u[2] * np.log(STEEPNESS[1] / STEEPNESS[0]))
    return level, (1 - level) * u[1] ** 2, steep
