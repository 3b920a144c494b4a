"""Do the arms get the share of units they should? If not, something decides who is counted."""

from collections.abc import Mapping

from scipy.special import gammaln, xlogy

CONCENTRATION = 1_000.0


def log_mismatch_evidence(units: Mapping[str, int], weights: Mapping[str, float]) -> float:
    """ln E against: `units` fall on the arms by `weights`. The Dirichlet-multinomial mixture around the
    weights over the multinomial itself (Lindon and Malek 2022, equation 8), valid after every unit.

    Raises ValueError when an arm of no weight has units, which no chance explains.
    """
    found = 0.0
    for arm, weight in sorted(weights.items()):
        count = units.get(arm, 0)
        if weight == 0 and count:
            raise ValueError(f"The arm '{arm}' has {count} units, but a share of 0.")
        if weight:
            prior = CONCENTRATION * weight
            found += float(gammaln(prior + count) - gammaln(prior) - xlogy(count, weight))
    n = sum(units.values())
    return found - float(gammaln(CONCENTRATION + n) - gammaln(CONCENTRATION))
