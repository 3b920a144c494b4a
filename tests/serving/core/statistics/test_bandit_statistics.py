from itertools import product

import numpy as np
import pytest
from mabwiser.mab import MAB, LearningPolicy
from scipy.integrate import quad
from scipy.stats import beta

from serving.core.statistics.off_policy import (
    OffPolicySums,
    doubly_robust,
    effective_size,
    inverse_propensity,
    self_normalised,
)
from serving.core.statistics.thompson import chances_of_best, shares


@pytest.mark.parametrize(
    "counts", [((3, 2), (4, 5)), ((90, 10), (85, 15)), ((9000, 1000), (8990, 1010)), ((0, 0), (0, 0))]
)
def test_the_chance_of_being_the_best_is_the_integral(
    counts: tuple[tuple[int, int], tuple[int, int]],
) -> None:
    (a, b), (c, d) = counts
    middle, spread = beta.mean(a + 1, b + 1), beta.std(a + 1, b + 1)
    near = (max(0.0, middle - 9 * spread), min(1.0, middle + 9 * spread))
    exact = quad(lambda p: beta.pdf(p, a + 1, b + 1) * beta.cdf(p, c + 1, d + 1), *near, limit=200)[0]
    found = chances_of_best(np.array([a, c], float), np.array([b, d], float))
    assert found[0] == pytest.approx(exact, abs=1e-6)
    assert found.sum() == pytest.approx(1)


def test_the_share_is_how_often_thompson_sampling_would_choose_the_arm() -> None:
    right, wrong = {"a": 12, "b": 16, "c": 8}, {"a": 8, "b": 9, "c": 7}
    decisions = [arm for arm in right for _ in range(right[arm] + wrong[arm])]
    rewards = [reward for arm in right for reward in [1] * right[arm] + [0] * wrong[arm]]
    bandit = MAB(list(right), LearningPolicy.ThompsonSampling(), seed=7)
    bandit.fit(decisions, rewards)
    chosen = [bandit.predict() for _ in range(3000)]
    found = chances_of_best(np.array(list(right.values()), float), np.array(list(wrong.values()), float))
    for arm, chance in zip(right, found.tolist(), strict=True):
        assert chosen.count(arm) / 3000 == pytest.approx(chance, abs=4 * np.sqrt(0.25 / 3000))


def test_no_arm_gets_less_than_the_floor() -> None:
    assert shares({"a": 1.0, "b": 0.0}, 0.05) == pytest.approx({"a": 0.95, "b": 0.05})
    assert shares({"a": 0.5, "b": 0.5, "c": 0.0}, 0.1) == pytest.approx({"a": 0.45, "b": 0.45, "c": 0.1})
    assert shares({"a": 1.0, "b": 0.0, "c": 0.0}, 0.45) == pytest.approx(dict.fromkeys("abc", 1 / 3))


def test_values_of_an_arm_are_right_on_average_over_all_that_could_have_been_drawn() -> None:
    reward, chance = np.array([1.0, 0, 1, 1]), np.array([0.05, 0.5, 0.3, 0.9])
    for expected in (np.zeros(4), np.array([0.9, 0.4, 0.2, 0.8])):
        ips = dr = 0.0
        for drawn in product([False, True], repeat=4):
            answered = np.array(drawn)
            sums = OffPolicySums.of(answered, chance, np.where(answered, reward, 0), expected)
            likely = float(np.prod(np.where(answered, chance, 1 - chance)))
            ips += likely * inverse_propensity(sums).mean
            dr += likely * doubly_robust(sums).mean
            normalised = self_normalised(sums)
            assert (normalised is None) == (not answered.any())
            assert normalised is None or 0 <= normalised.mean <= 1
        assert ips == pytest.approx(0.75)
        assert dr == pytest.approx(0.75)
    even = OffPolicySums.of(
        np.array([True, True, False]), np.full(3, 0.5), np.array([1.0, 0, 0]), np.zeros(3)
    )
    assert effective_size(even) == 2


def test_what_was_expected_makes_the_value_less_noisy() -> None:
    rng = np.random.default_rng(0)
    confidence, chance = rng.beta(8, 2, 4000), np.full(4000, 0.1)
    reward = (rng.random(4000) < confidence).astype(float)
    answered = rng.random(4000) < chance
    values = [
        OffPolicySums.of(answered, chance, reward * answered, given) for given in (np.zeros(4000), confidence)
    ]
    assert doubly_robust(values[1]).variance < 0.3 * inverse_propensity(values[0]).variance
    for one in values:
        value = doubly_robust(one)
        assert abs(value.mean - reward.mean()) < 3 * np.sqrt(value.variance)


def test_values_of_an_arm_cover_the_truth_where_a_unit_sends_many_labels() -> None:
    """60 clients of 20 to 60 images each: what one sends is as hard, or as easy, and one arm has it all."""
    rng = np.random.default_rng(0)
    covered = {name: np.zeros(2, int) for name in ("ips", "snips", "dr")}
    runs = 600
    for _ in range(runs):
        many = rng.integers(20, 61, 60)
        unit = np.repeat(np.arange(60), many)
        ease = rng.beta(4, 1, 60)  # mean 0.8
        reward = (rng.random(len(unit)) < ease[unit]).astype(float)
        answered = (rng.random(60) < 0.5)[unit]
        expected = np.full(len(unit), 0.8)
        for which, by in enumerate((None, unit)):
            sums = OffPolicySums.of(answered, np.full(len(unit), 0.5), reward, expected, by)
            normalised = self_normalised(sums)
            assert normalised is not None
            values = {"ips": inverse_propensity(sums), "snips": normalised, "dr": doubly_robust(sums)}
            for name, value in values.items():
                covered[name][which] += abs(value.mean - 0.8) < 1.96 * np.sqrt(value.variance)
    for by_label, by_unit in covered.values():
        assert by_label / runs < 0.75
        # 95%, and four standard errors; with some 30 units a normal interval is a little narrow.
        assert 0.90 < by_unit / runs < 0.985


def test_units_of_one_label_each_differ_as_labels_do() -> None:
    rng = np.random.default_rng(1)
    answered, reward = rng.random(500) < 0.3, np.round(rng.random(500))
    given = (answered, np.full(500, 0.3), reward, np.full(500, 0.5))
    alone, each = OffPolicySums.of(*given), OffPolicySums.of(*given, np.arange(500))
    for estimate in (inverse_propensity, self_normalised, doubly_robust):
        plain, by_unit = estimate(alone), estimate(each)
        assert plain is not None
        assert by_unit is not None
        assert by_unit.mean == plain.mean
        assert by_unit.variance == pytest.approx(plain.variance * 500 / 499)
