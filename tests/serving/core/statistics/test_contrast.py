from itertools import product

import numpy as np
import pytest

from serving.core.statistics.contrast import ContrastSums, contrast_half_width, contrast_p


def test_the_difference_is_right_on_average_over_all_that_could_have_been_drawn() -> None:
    """Whatever the chances: also without its center, so what the center adds has mean 0."""
    new, old, chance = np.array([1, 0, 1, 1]), np.array([1, 0, 0, 1]), np.array([0.05, 0.5, 0.3, 0.9])
    plain = center = 0.0
    for drawn in product([False, True], repeat=4):
        chosen = np.array(drawn)
        got = np.where(chosen, chance, 1 - chance)
        sums = ContrastSums.of(chosen, got, np.where(chosen, new, old) == 1)
        plain += float(np.prod(got)) * sums.zr / sums.n
        center += float(np.prod(got)) * sums.z
    assert plain == pytest.approx((new - old).mean())
    assert center == pytest.approx(0)


def test_the_spread_is_that_of_the_labels_weighed() -> None:
    rng = np.random.default_rng(0)
    chance = rng.choice([0.05, 0.5, 0.95], 3000)
    chosen, right = rng.random(3000) < chance, rng.random(3000) < 0.8
    got = np.where(chosen, chance, 1 - chance)
    sums = ContrastSums.of(chosen, got, right)
    weighed = np.where(chosen, 1, -1) / got * (right - right.mean())
    assert sums.difference == pytest.approx(weighed.mean())
    assert sums.spread == pytest.approx(3000 * weighed.var())


def test_the_p_value_is_where_the_interval_ends_at_0() -> None:
    rng = np.random.default_rng(1)
    chosen = rng.random(2000) < 0.5
    sums = ContrastSums.of(chosen, np.full(2000, 0.5), rng.random(2000) < np.where(chosen, 0.9, 0.84))
    for alpha in (0.001, 0.05, 0.2):
        ends = abs(sums.difference) > contrast_half_width(sums, alpha)
        assert (contrast_p(sums, alpha) < alpha) == ends


def test_few_answers_that_are_all_right_are_no_certainty() -> None:
    sums = ContrastSums.of(np.array([True, False]), np.full(2, 0.5), np.array([True, True]))
    assert sums.difference == 0
    assert contrast_half_width(sums, 0.05) > 0.5
    assert contrast_p(ContrastSums(), 0.05) == 1


def test_equal_arms_are_seldom_told_apart_while_shares_follow_them_and_traffic_gets_hard_and_easy() -> None:
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(200):
        sums, share, score = np.zeros(6), 0.5, np.zeros(2)
        told = False
        for batch in range(100):
            chosen = rng.random(50) < share
            right = rng.random(50) < (0.95 if batch // 15 % 2 else 0.75)
            got = np.where(chosen, share, 1 - share)
            sums += np.array(list(vars(ContrastSums.of(chosen, got, right)).values())[:6], float)
            score = 0.9 * score + [right[chosen].sum() - 0.8 * chosen.sum(), (right - 0.8)[~chosen].sum()]
            share = 0.95 if score[0] > score[1] else 0.05
            known = ContrastSums(int(sums[0]), *sums[1:])
            told |= batch > 4 and abs(known.difference) > contrast_half_width(known, 0.05)
        wrong += told
    assert wrong / 200 <= 0.05
