"""Estimates and plans, against other people's implementations and brute force."""

from itertools import product

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import binom
from sklearn.metrics import cohen_kappa_score
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, samplesize_proportions_2indep_onetail
from statsmodels.stats.weightstats import DescrStatsW

from serving.core.assignment import bucket
from serving.core.inclusion import chance, drawn, unsure_below
from serving.core.statistics.agreement import jensen_shannon, kappa
from serving.core.statistics.cuped import Moments, adjusted_difference, mean_and_variance
from serving.core.statistics.holm import holm
from serving.core.statistics.mean_difference import half_width
from serving.core.statistics.sample_size import labels_by_arms, labels_by_pairs
from serving.core.statistics.sign_test import log_sign_evidence
from serving.core.statistics.strata import Stratum, counts_of, pooled_difference
from serving.core.statistics.weighting import WeightedSums


def test_cuped_is_the_regression_on_arm_and_confidence() -> None:
    rng = np.random.default_rng(0)
    x, arm = rng.random(400), rng.random(400) < 0.3
    y = (rng.random(400) < 0.3 + 0.5 * x).astype(float)
    sides = [_moments(y[side], x[side]) for side in (~arm, arm)]
    found = adjusted_difference(*(side.sums for side in sides))
    design = np.column_stack([np.ones(400), arm, x])
    assert found.difference == pytest.approx(OLS(y, design).fit().params[1])
    assert found.variance < found.plain
    plain = adjusted_difference(*(Moments(m.n, m.y, m.yy).sums for m in sides))
    assert plain.difference == pytest.approx(y[arm].mean() - y[~arm].mean())
    assert (
        plain.variance
        == plain.plain
        == pytest.approx(y[arm].var(ddof=1) / arm.sum() + y[~arm].var(ddof=1) / (~arm).sum())
    )
    assert mean_and_variance(sides[0].sums)[0] == pytest.approx(y[~arm].mean())


def _moments(
    y: np.ndarray[tuple[int], np.dtype[np.float64]], x: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> Moments:
    return Moments(len(y), y.sum(), (y * y).sum(), x.sum(), (x * x).sum(), (x * y).sum())


def test_holm_is_statsmodels_holm() -> None:
    for p in ([0.01, 0.04, 0.03, 0.005], [0.5, 0.5], [0.2], [1.0, 0.0, 0.9]):
        assert holm(p) == pytest.approx(multipletests(p, method="holm")[1].tolist())


def test_a_weighted_mean_is_statsmodels_and_corrects_what_was_chosen() -> None:
    y, w = np.array([1.0, 0, 1, 1, 0]), np.array([1.0, 1, 10, 10, 10])
    sums, other = WeightedSums.of(y, w), DescrStatsW(y, weights=w)
    assert sums.mean == pytest.approx(other.mean)
    assert sums.variance == pytest.approx((w**2 @ (y - other.mean) ** 2) / w.sum() ** 2)
    assert WeightedSums.of(y, np.ones(5)).effective == pytest.approx(5)
    assert WeightedSums().mean is None
    # Every draw of 6 items of which the first is always taken: the two sums are right on average.
    truth, p = np.array([0.0, 1, 1, 0, 1, 1]), np.array([1.0, 0.3, 0.3, 0.3, 0.3, 0.3])
    total = np.zeros(2)
    for draw in product([0, 1], repeat=6):
        there = np.array(draw)
        found = WeightedSums.of(truth[there == 1], 1 / p[there == 1])
        total += np.prod(np.where(there, p, 1 - p)) * np.array([found.wy, found.w])
    assert total == pytest.approx([4, 6])


@pytest.mark.parametrize("seed", range(3))
def test_labels_drawn_with_a_known_chance_say_how_right_a_model_is_on_all(seed: int) -> None:
    """Unsure answers are asked three times as often and wrong more often: weighed, they mislead nobody."""
    rng = np.random.default_rng(seed)
    size, runs = 1500, 150
    half = unsure_below(10)
    sure = np.where(rng.random(size) < 0.3, rng.uniform(0.2, half, size), rng.uniform(half, 1, size))
    right = (rng.random(size) < sure).astype(float)
    plain, corrected, totals, covered = [], [], [], 0
    for run in range(runs):
        places = [bucket(f"salt {seed} {run} audited", f"digest {n}") for n in range(size)]
        chances = [drawn(n, 0.1, one, 10) for n, one in zip(places, sure.tolist(), strict=True)]
        asked = np.array([one is not None for one in chances])
        sums = WeightedSums.of(right[asked], 1 / np.array([one for one in chances if one]))
        plain.append(right[asked].mean() - right.mean())
        corrected.append((sums.mean or 0) - right.mean())
        totals.append(sums.wy / size - right.mean())
        covered += abs(corrected[-1]) <= 1.96 * np.sqrt(sums.variance)
    for errors in (corrected, totals):  # Hajek's, Horvitz and Thompson's
        assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(runs)
    assert np.mean(plain) < -0.05
    assert covered >= 0.9 * runs
    assert np.std(corrected) < np.std(totals)


def test_the_even_audit_is_part_of_what_is_drawn() -> None:
    assert [drawn(n, 0.1, 0.9, 10) for n in (0.05, 0.2, 0.5)] == [0.1, None, None]
    assert [drawn(n, 0.1, 0.4, 10) for n in (0.05, 0.2, 0.5)] == [
        pytest.approx(0.3),
        pytest.approx(0.3),
        None,
    ]
    assert (chance(0.5, 0.4, 10), chance(0.0, 0.4, 10), drawn(0.0, 0.0, 0.4, 10)) == (1.0, 0.0, None)


def test_a_guess_is_unsure_halfway_between_chance_and_certainty() -> None:
    assert [unsure_below(classes) for classes in (2, 4, 10)] == [0.75, 0.625, 0.55]
    assert [chance(0.1, sure, 2) for sure in (0.5, 0.74, 0.75)] == [pytest.approx(0.3)] * 2 + [0.1]


def test_a_pooled_difference_of_one_period_is_agrestis_and_of_two_compares_within() -> None:
    found = pooled_difference(counts_of([Stratum(45, 50, 17, 20)]))
    low, high = confint_proportions_2indep(17, 20, 45, 50, method="agresti-caffo")
    assert found.difference == pytest.approx(17 / 20 - 45 / 50)
    assert 1.959964 * np.sqrt(found.variance) == pytest.approx((high - low) / 2)
    # Easy at 10% of traffic, hard at 50%: in sums the challenger looks worse, in each period it is as good.
    shifting = pooled_difference(counts_of([Stratum(810, 900, 90, 100), Stratum(250, 500, 250, 500)]))
    assert shifting.difference == pytest.approx(0)
    assert pooled_difference(counts_of([Stratum(5, 9, 0, 0)])).n == 0
    assert pooled_difference(counts_of([])).n == 0


def test_agreement_is_sklearns_kappa_and_scipys_divergence() -> None:
    rng = np.random.default_rng(1)
    one = rng.integers(0, 4, 300)
    other = np.where(rng.random(300) < 0.7, one, rng.integers(0, 4, 300))
    counts = [{str(label): int((side == label).sum()) for label in range(4)} for side in (one, other)]
    assert kappa(int((one == other).sum()), *counts) == pytest.approx(cohen_kappa_score(one, other))
    p, q = (np.array(list(side.values()), float) for side in counts)
    assert jensen_shannon(*counts) == pytest.approx(jensenshannon(p, q, base=2) ** 2)
    assert jensen_shannon({"a": 3}, {"b": 5}) == pytest.approx(1)
    assert kappa(0, {}, {}) is None
    assert kappa(3, {"a": 3}, {"a": 3}) is None
    assert jensen_shannon({}, {"a": 1}) is None


def test_the_labels_it_will_take() -> None:
    looked_at = labels_by_arms(0.85, 0.03, 0.05)
    assert 1 < looked_at / (2 * samplesize_proportions_2indep_onetail(0.03, 0.85, 0.8)) < 2  # of one look
    spread = 2 * (0.85 * 0.15 + 0.88 * 0.12) / looked_at
    half = half_width(spread, looked_at, 0.05, looked_at)
    assert half + 0.8416 * np.sqrt(spread) == pytest.approx(0.03, rel=0.01)
    assert labels_by_arms(0.85, 0.03, 0.05, share=0.1) > 2 * looked_at
    pairs = labels_by_pairs(0.065, 0.035, 0.05)
    wins = np.arange(round(pairs * 0.1) + 1)
    power = binom.pmf(wins, wins[-1], 0.65)[log_sign_evidence(wins, wins[-1] - wins) >= np.log(20)].sum()
    assert power == pytest.approx(0.8, abs=0.05)
    assert pairs < looked_at / 2
    with pytest.raises(ValueError, match="to be told apart"):
        labels_by_pairs(0.05, 0.05, 0.05)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("units", "least"), [(8, 0.86), (60, 0.92)])
def test_a_weighted_interval_covers_the_truth_where_a_unit_sends_many_labels(
    units: int, least: float, seed: int
) -> None:
    """What a unit sends is as easy, or as hard; a part is drawn by other chances than the rest."""
    rng = np.random.default_rng([seed, units])
    by_label = by_unit = 0
    runs = 800
    for _ in range(runs):
        unit = np.repeat(np.arange(units), rng.integers(20, 61, units))
        ease = rng.beta(4, 1, units)  # mean 0.8
        right = (rng.random(len(unit)) < ease[unit]).astype(float)
        chance = np.where(rng.random(len(unit)) < 0.3, 0.9, 0.3)
        asked = rng.random(len(unit)) < chance
        given = right[asked], 1 / chance[asked]
        alone, together = WeightedSums.of(*given), WeightedSums.of(*given, unit[asked])
        assert alone.mean == together.mean
        assert alone.mean is not None
        error = abs(alone.mean - 0.8)
        by_label += error < 1.96 * np.sqrt(alone.variance)
        by_unit += error < together.half_width()
    assert by_label / runs < 0.8
    # 95%, and four standard errors; ease is skewed, and few units tell little of that.
    assert least < by_unit / runs < 0.985


def test_units_of_one_label_each_weigh_as_labels_do_and_one_unit_tells_nothing() -> None:
    rng = np.random.default_rng(1)
    right, weight = np.round(rng.random(500)), rng.uniform(1, 10, 500)
    alone, each = WeightedSums.of(right, weight), WeightedSums.of(right, weight, np.arange(500))
    assert each.variance == pytest.approx(alone.variance * 500 / 499)
    assert each.half_width() == pytest.approx(1.96 * np.sqrt(alone.variance), rel=0.01)
    one = WeightedSums.of(right, weight, np.zeros(500, np.int64))
    assert (one.mean, one.half_width()) == (alone.mean, np.inf)
    # Of two units one that weighs next to nothing is hardly a second.
    uneven = WeightedSums.of(right, weight, (np.arange(500) < 1).astype(np.int64))
    assert uneven.half_width() > 12 * np.sqrt(uneven.variance)
