"""Labels of one unit are alike: what is told of arms that are dealt by unit."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from statsmodels.regression.linear_model import OLS

from serving.core.statistics.clusters import LEAST_UNITS, effective_units, units_missing
from serving.core.statistics.contrast import ContrastSums, contrast_half_width
from serving.core.statistics.mean_difference import half_width
from serving.core.statistics.strata import Stratum, UnitSpread, by_units, counts_of, pooled_difference

LOOKS = range(250, 5001, 250)


def test_so_many_units_that_weigh_alike() -> None:
    assert effective_units(np.full(7, 3.0)) == pytest.approx(7)
    assert effective_units(np.array([1000.0, *[1] * 50])) == pytest.approx(1.1, abs=0.01)
    assert effective_units(np.zeros(3)) == 0
    assert (units_missing(None), units_missing(0.0), units_missing(19.2)) == (0, LEAST_UNITS, 1)
    assert units_missing(20.0) == units_missing(5e6) == 0


def test_the_squares_over_units_are_the_variance_of_all_that_could_have_been_dealt() -> None:
    """Arms that are right of the same images; every deal of four units, with its chance."""
    unit = np.array([0, 0, 0, 1, 2, 2, 3, 3, 3, 3])
    right = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 1], bool)
    chance = np.array([0.1, 0.5, 0.3, 0.8])
    variance = squares = center = alone = 0.0
    for drawn in product([False, True], repeat=4):
        chosen = np.array(drawn)
        likely = float(np.prod(np.where(chosen, chance, 1 - chance)))
        got = np.where(chosen, chance, 1 - chance)[unit]
        sums = ContrastSums.of(chosen[unit], got, right, unit)
        assert sums.zr2 is not None
        c = right.mean()
        variance += likely * (sums.zr - c * sums.z) ** 2
        squares += likely * (sums.zr2 - 2 * c * sums.z2r + c**2 * sums.z2)
        center += likely * sums.difference
        alone += likely * ContrastSums.of(chosen[unit], got, right).spread
        if sums.spread > 1:
            assert sums.spread == pytest.approx(sums.zr2 - 2 * c * sums.z2r + c**2 * sums.z2)
    assert center == pytest.approx(0)
    assert squares == pytest.approx(variance)
    assert alone < variance / 2


def test_labels_that_are_units_of_their_own_say_as_much_as_before() -> None:
    rng = np.random.default_rng(0)
    chosen, right = rng.random(3000) < 0.3, rng.random(3000) < 0.8
    got = np.where(chosen, 0.3, 0.7)
    alone, units = (ContrastSums.of(chosen, got, right, unit) for unit in (None, np.arange(3000)))
    assert units.difference == alone.difference
    assert units.spread == pytest.approx(alone.spread, rel=1e-3)
    assert units.least_units == pytest.approx(chosen.sum())
    period = rng.integers(0, 2, 3000)
    plain = pooled_difference(_counts(period, chosen, right))
    spread = UnitSpread.of(period, chosen, right, np.arange(3000))
    assert by_units(plain, spread).variance == pytest.approx(plain.variance, rel=0.01)
    assert by_units(plain, None) == plain


def test_the_variance_between_units_is_statsmodels_clustered_one() -> None:
    rng = np.random.default_rng(1)
    unit = rng.integers(0, 40, 900)
    chosen, right = (rng.random(40) < 0.4)[unit], rng.random(900) < rng.uniform(0.6, 1, 40)[unit]
    spread = UnitSpread.of(np.zeros(900, int), chosen, right, unit)
    fitted = OLS(right.astype(float), np.column_stack([np.ones(900), chosen])).fit(
        cov_type="cluster", cov_kwds={"groups": unit, "use_correction": False}
    )
    assert spread.variance == pytest.approx(fitted.bse[1] ** 2)
    found = pooled_difference(_counts(np.zeros(900, int), chosen, right))
    assert found.difference == pytest.approx(fitted.params[1])
    assert by_units(found, spread).variance > 1.5 * found.variance
    # Of one unit in an arm it is not known.
    one = UnitSpread.of(np.zeros(900, int), unit == 0, right, unit)
    assert (one.challenger, one.least) == (1, 1)
    assert np.isinf(by_units(found, one).variance)


def _counts(
    period: NDArray[np.int64], chosen: NDArray[np.bool_], right: NDArray[np.bool_]
) -> NDArray[np.float64]:
    return counts_of(
        [
            Stratum(
                *(
                    int(one[period == step].sum())
                    for one in (right & ~chosen, ~chosen, right & chosen, chosen)
                )
            )
            for step in range(int(period.max()) + 1)
        ]
    )


@pytest.mark.parametrize("units", [10, 50, 200])
def test_equal_arms_are_seldom_told_apart_by_the_few_units_that_each_has(units: int) -> None:
    """Units whose images are easy or hard, by 10 points: a bandit with even shares."""
    rng = np.random.default_rng(units)
    wrong = {"units": 0, "labels": 0}
    for _ in range(200):
        unit = rng.integers(0, units, LOOKS[-1])
        chosen = (rng.random(units) < 0.5)[unit]
        right = rng.random(len(unit)) < np.clip(rng.normal(0.85, 0.1, units), 0, 1)[unit]
        told = dict.fromkeys(wrong, False)
        for n in LOOKS:
            for name, of in (("units", unit[:n]), ("labels", None)):
                sums = ContrastSums.of(chosen[:n], np.full(n, 0.5), right[:n], of)
                far = abs(sums.difference) > contrast_half_width(sums, 0.05)
                told[name] |= far and not units_missing(sums.least_units)
        wrong = {name: count + told[name] for name, count in wrong.items()}
    assert wrong["units"] <= 0.05 * 200
    assert wrong["labels"] > wrong["units"] + 0.05 * 200, "the same labels, taken for units of their own"


@pytest.mark.parametrize("units", [20, 100])
def test_a_canary_of_few_units_is_seldom_found_less_accurate(units: int) -> None:
    """In three steps, at 1%; widening moves no unit back."""
    rng = np.random.default_rng(units)
    wrong = {"units": 0, "labels": 0}
    for _ in range(300):
        unit = rng.integers(0, units, LOOKS[-1])
        period = np.arange(LOOKS[-1]) * 3 // LOOKS[-1]
        chosen = rng.random(units)[unit] < np.array([0.05, 0.25, 0.5])[period]
        right = rng.random(len(unit)) < np.clip(rng.normal(0.85, 0.05, units), 0, 1)[unit]
        told = dict.fromkeys(wrong, False)
        for n in LOOKS:
            plain = pooled_difference(_counts(period[:n], chosen[:n], right[:n]))
            spread = UnitSpread.of(period[:n], chosen[:n], right[:n], unit[:n])
            for name, found, missing in (
                ("units", by_units(plain, spread), units_missing(spread.least)),
                ("labels", plain, 0),
            ):
                half = half_width(found.variance, max(1.0, float(found.n)), 0.01, 500)
                told[name] |= bool(found.difference + half < 0) and not missing
        wrong = {name: count + told[name] for name, count in wrong.items()}
    assert wrong["units"] <= 0.01 * 300
    assert wrong["labels"] > wrong["units"]
