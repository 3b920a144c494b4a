import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaln

from learning.core.confidence_sequence import anytime_interval
from learning.core.evaluation import wilson


@pytest.mark.parametrize("p", [0.5, 0.8, 0.97])
def test_looking_after_every_label_the_truth_is_inside_all_the_time_in_95_of_100(p: float) -> None:
    looks = range(1, 401, 4)
    right = np.cumsum(np.random.default_rng(int(100 * p)).random((1000, 400)) < p, axis=1)  # (projects, n)
    inside, plain_inside = np.ones(1000, dtype=bool), np.ones(1000, dtype=bool)
    for n in looks:
        counts, which = np.unique(right[:, n - 1], return_inverse=True)
        for always, interval in ((inside, anytime_interval), (plain_inside, wilson)):
            bounds = [interval(int(count), n) for count in counts]
            always &= np.array([low <= p <= high for low, high in bounds])[which]
    assert inside.mean() >= 0.95
    # Why it is needed: the plain interval is wrong at some time for far more than one project in twenty.
    assert plain_inside.mean() < 0.8


@given(st.integers(1, 3000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_bounds_are_where_the_mixture_reaches_its_limit(n: int, share: float, level: float) -> None:
    correct = round(share * n)
    low, high = anytime_interval(correct, n, level)
    assert 0 <= low <= correct / n <= high <= 1
    for bound in (low, high):
        if 0 < bound < 1:
            log_likelihood = correct * np.log(bound) + (n - correct) * np.log1p(-bound)
            mixture = betaln(correct + 0.5, n - correct + 0.5) - betaln(0.5, 0.5)
            assert mixture - log_likelihood == pytest.approx(-np.log(1 - level), abs=1e-4)
    mirrored = anytime_interval(n - correct, n, level)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_it_is_wider_than_one_look_needs_but_not_by_much() -> None:
    low, high = anytime_interval(930, 1000)
    plain = wilson(930, 1000)
    assert low < plain[0] < plain[1] < high
    assert (high - low) < 2 * (plain[1] - plain[0])


def test_nothing_measured_is_everything_possible_and_nonsense_is_refused() -> None:
    assert anytime_interval(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="cannot be 3 right answers of 2"):
        anytime_interval(3, 2)
    with pytest.raises(ValueError, match="between 0 and 1"):
        anytime_interval(1, 2, level=1.0)


def test_less_than_one_wrong_answer_contradicts_no_proportion_next_to_1() -> None:
    """Of draws, an estimate is worth a number of answers that is not whole."""
    low, high = anytime_interval(9.71, 9.76)
    assert 0.5 < low < 0.7
    assert high == 1.0
    mirrored = anytime_interval(0.05, 9.76)
    np.testing.assert_allclose(mirrored, (0.0, 1 - low), atol=1e-9)
    low, high = anytime_interval(25.97, 26.0)
    assert low < 25.97 / 26 < high <= 1.0
