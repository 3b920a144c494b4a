import numpy as np
import pytest
from scipy.stats import f, permutation_test

from serving.core.statistics.permutation import MOST, permutation_p


def test_of_one_feature_it_is_scipys_permutation_test_of_the_difference_of_means() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.exponential(1, 60), rng.exponential(1.2, 40)
    known = permutation_test(
        (one, other),
        lambda a, b, axis: abs(a.mean(axis) - b.mean(axis)),
        vectorized=True,
        alternative="greater",
        rng=rng,
    )
    found = [permutation_p(one[:, None], other[:, None], np.random.default_rng(seed)) for seed in range(20)]
    assert np.mean(found) == pytest.approx(known.pvalue, rel=0.2)


def test_of_normal_vectors_it_is_hotellings_test() -> None:
    rng = np.random.default_rng(2)
    n, m, k = 400, 200, 5
    one, other = rng.standard_normal((n, k)), rng.standard_normal((m, k)) + 0.04
    away = one.mean(axis=0) - other.mean(axis=0)
    pooled = ((n - 1) * np.cov(one, rowvar=False) + (m - 1) * np.cov(other, rowvar=False)) / (n + m - 2)
    squared = n * m / (n + m) * away @ np.linalg.solve(pooled, away)
    known = f.sf(squared * (n + m - k - 1) / (k * (n + m - 2)), k, n + m - k - 1)
    assert 0.0005 < known < 0.1
    found = [permutation_p(one, other, np.random.default_rng(seed)) for seed in range(20)]
    assert np.mean(found) == pytest.approx(known, rel=0.2)


def test_the_smallest_p_is_that_of_no_deal_as_far_off_and_equal_rows_show_nothing() -> None:
    rng = np.random.default_rng(0)
    one = rng.standard_normal((50, 3))
    assert permutation_p(one, one + 9, rng) == pytest.approx(1 / (MOST + 1))
    assert permutation_p(np.ones((50, 3)), np.ones((9, 3)), rng) == 1
