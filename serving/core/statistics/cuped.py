"""Less noise in a difference of means, by what was known before the arms were drawn."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Moments:
    """Sums over the units of an arm: outcome y, and x, what the champion thinks of its own answer."""

    n: int = 0
    y: float = 0.0
    yy: float = 0.0
    x: float = 0.0
    xx: float = 0.0
    xy: float = 0.0


@dataclass(frozen=True)
class Adjusted:
    difference: float  # challenger - champion
    variance: float  # of the difference
    means: tuple[float, float]  # champion, challenger; not adjusted
    variances: tuple[float, float]  # of these means
    saved: float  # the share of the variance that x explains


def _spread(sum_a: float, sum_b: float, product: float, n: int) -> float:
    return (product - sum_a * sum_b / n) / (n - 1)


def adjusted_difference(champion: Moments, challenger: Moments) -> Adjusted:
    """y - theta (x - mean x), theta = cov(x, y) / var(x) over both arms (CUPED; Deng, Xu, Kohavi and Walker
    2013, equation 4). The arms are drawn without regard to x, so the difference keeps its mean and loses the
    part of its variance that x explains. Without x (all of it 0) nothing is adjusted.

    Raises ValueError for an arm of fewer than two units.
    """
    arms = (champion, challenger)
    if min(arm.n for arm in arms) < 2:
        raise ValueError("A difference of means needs two units of each arm.")
    xx = sum((arm.n - 1) * _spread(arm.x, arm.x, arm.xx, arm.n) for arm in arms)
    xy = sum((arm.n - 1) * _spread(arm.x, arm.y, arm.xy, arm.n) for arm in arms)
    theta = xy / xx if xx > 0 else 0.0
    plain = [max(0.0, _spread(arm.y, arm.y, arm.yy, arm.n)) for arm in arms]
    left = [
        max(
            0.0,
            one
            - 2 * theta * _spread(arm.x, arm.y, arm.xy, arm.n)
            + theta**2 * _spread(arm.x, arm.x, arm.xx, arm.n),
        )
        for one, arm in zip(plain, arms, strict=True)
    ]
    means = (champion.y / champion.n, challenger.y / challenger.n)
    ahead = challenger.x / challenger.n - champion.x / champion.n
    variance = left[0] / champion.n + left[1] / challenger.n
    before = plain[0] / champion.n + plain[1] / challenger.n
    return Adjusted(
        difference=means[1] - means[0] - theta * ahead,
        variance=variance,
        means=means,
        variances=(plain[0] / champion.n, plain[1] / challenger.n),
        saved=1 - variance / before if before else 0.0,
    )
