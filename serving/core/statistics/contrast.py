"""How much more does one arm have right than another, when the chances of the arms changed? At every look."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from serving.core.statistics.clusters import effective_units, sums_over
from serving.core.statistics.mean_difference import anytime_p, half_width

PLANNED = (
    4_000.0  # of `spread`, where the interval is narrowest: 8,000 labels at even shares, 85% of them right
)
_LEAST = 1.0  # of `spread`: a few answers that are all right are not certainty


@dataclass(frozen=True)
class ContrastSums:
    """Sums over labels, each image's once: r = 1 where the answer was right, else 0; z = 1 / propensity where
    the challenger answered, -1 / propensity where the champion did, 0 where another arm did. The propensity
    is the chance that this arm had when it answered, by everything that its share was chosen by.

    What was dealt together, a unit's labels of one phase, is one draw: the squares are of sums Z of z and R
    of z r over each such unit.
    """

    n: int = 0
    r: float = 0.0
    z: float = 0.0
    zr: float = 0.0
    z2: float = 0.0  # of Z^2
    z2r: float = 0.0  # of Z R
    # Decisions from before units were counted have none of these: each label was a unit of its own.
    zr2: float | None = None  # of R^2
    least_units: float | None = None  # `effective_units` of the arm that has fewer

    @classmethod
    def of(
        cls,
        challenger: NDArray[np.bool_],
        propensity: NDArray[np.float64],
        right: NDArray[np.bool_],
        unit: NDArray[np.int64] | None = None,
    ) -> "ContrastSums":
        """Of arrays (n,): whether the challenger answered or the champion, with what chance, and the number
        from 0 of the unit, without which each is one of its own.
        """
        z = np.where(challenger, 1, -1) / propensity
        sums = [float(one.sum()) for one in (right, z, z * right)]
        if unit is None:
            return cls(len(z), *sums, *(float(one.sum()) for one in (z**2, z**2 * right)))
        whole, got = sums_over(unit, z), sums_over(unit, z * right)
        squares = (whole**2, whole * got, got**2)
        of_arms = (sums_over(unit[arm], np.abs(z[arm])) for arm in (challenger, ~challenger))
        least = min(map(effective_units, of_arms))
        return replace(cls(len(z), *sums, *(float(one.sum()) for one in squares)), least_units=least)

    @property
    def difference(self) -> float:
        """The mean of z (r - c), c the share that is right: as z is 0 on average whatever the chances were,
        c changes nothing but the noise, of which it takes most.
        """
        return (self.zr - self._center * self.z) / self.n if self.n else 0.0

    @property
    def spread(self) -> float:
        """n^2 times the variance of the difference: of labels that are units of their own, n times the
        variance of z (r - c), where r is its own square. Else the sum of squares of its sums over each unit
        (Liang and Zeger 1986): what a client sends is as hard, or as easy, whenever it asks. Of a few units
        no mean is taken away, which is 0 where the arms are equal.
        """
        c = self._center
        squares = self.z2r * (1 - 2 * c) + self.z2 * c**2
        if self.zr2 is not None:
            return max(_LEAST, squares + self.zr2 - self.z2r)
        return max(_LEAST, squares - self.n * self.difference**2)

    @property
    def _center(self) -> float:
        return self.r / self.n if self.n else 0.0


def contrast_half_width(sums: ContrastSums, alpha: float) -> float:
    """Of the interval around `difference`, in shares, that holds at all times at once with 1 - alpha.

    An asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024) of a mean weighed
    by inverse propensity, which may follow all that was seen before as long as no arm gets nothing
    (Waudby-Smith, Wu, Ramdas, Karampatziakis and Mineiro 2024), and of outcomes whose mean may move. Its time
    is the spread so far: a label says the less, the less even the shares are.

    What is estimated is the mean difference on the traffic there was. Pooled counts are of another traffic in
    each arm, if hard classes or hard hours got other shares: with them, equal arms look different, and a
    worse one better (Simpson 1951). A difference within strata is of yet another: where shares are even
    weighs most in it.
    """
    spread = sums.spread
    return float(half_width(spread / max(1, sums.n) ** 2, spread, alpha, PLANNED))


def contrast_p(sums: ContrastSums, alpha: float) -> float:
    """The least level at which that sequence, tuned for `alpha`, excludes 0."""
    spread = sums.spread
    return float(anytime_p(sums.difference, spread / max(1, sums.n) ** 2, spread, alpha, PLANNED))
