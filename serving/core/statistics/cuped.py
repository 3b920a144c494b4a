"""Less noise in a difference of means, by what was known before the arms were drawn."""

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Sums over the units of an arm: outcome y, and x, what the champion thinks of its own answer."""

    n: int = 0
    y: float = 0.0
    yy: float = 0.0
    x: float = 0.0
    xx: float = 0.0
    xy: float = 0.0

    @property
    def sums(self) -> Floats:
        """(6,)"""
        return np.array(astuple(self), float)


@dataclass(frozen=True)
class Adjusted:
    difference: Floats  # challenger - champion
    variance: Floats  # of the difference
    plain: Floats  # the variance it would have without x


def mean_and_variance(sums: Floats) -> tuple[Floats, Floats]:
    """Of y, and of its mean; not adjusted. (6, ...) as in Moments, n >= 2."""
    n, y, yy = sums[:3]
    return y / n, np.maximum(0, _co(y, y, yy, n)) / n


def adjusted_difference(champion: Floats, challenger: Floats) -> Adjusted:
    """y - theta (x - mean x), theta = cov(x, y) / var(x) within both arms (CUPED; Deng, Xu, Kohavi and Walker
    2013, equation 4). The arms are drawn without regard to x, so the difference keeps its mean and loses the
    part of its variance that x explains. Without x (all of it 0) nothing is adjusted.

    (6, ...) sums of each arm as in Moments, n >= 2.
    """
    arms = (champion, challenger)
    xx = sum((n - 1) * _co(x, x, xx, n) for n, _, _, x, xx, _ in arms)
    xy = sum((n - 1) * _co(x, y, xy, n) for n, y, _, x, _, xy in arms)
    theta = np.divide(xy, xx, out=np.zeros(np.shape(xx)), where=np.asarray(xx) > 1e-12)
    difference = challenger[1] / challenger[0] - champion[1] / champion[0]
    ahead = challenger[3] / challenger[0] - champion[3] / champion[0]
    plain = [mean_and_variance(arm)[1] for arm in arms]
    saved = [(2 * theta * _co(x, y, xy, n) - theta**2 * _co(x, x, xx, n)) / n for n, y, _, x, xx, xy in arms]
    return Adjusted(
        difference=difference - theta * ahead,
        variance=np.maximum(0, plain[0] - saved[0]) + np.maximum(0, plain[1] - saved[1]),
        plain=plain[0] + plain[1],
    )


def _co(a: Floats, b: Floats, product: Floats, n: Floats) -> Floats:
    """The covariance of a sample, from sums."""
    return (product - a * b / n) / (n - 1)
