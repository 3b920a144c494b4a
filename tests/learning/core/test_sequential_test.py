import numpy as np
import pytest
from scipy.stats import binom

from learning.core.confidence_sequence import anytime_interval
from learning.core.evaluation import wilson
from learning.core.sequential_test import (
    LONGEST,
    critical_counts,
    labels_to_prove,
    proven,
    sequential_interval,
)


@pytest.mark.parametrize(("p", "horizon"), [(0.5, 12), (0.8, 14)])
def test_the_chance_of_a_false_proof_is_what_brute_force_finds(p: float, horizon: int) -> None:
    counts = critical_counts(p, horizon, 0.1)
    walks = (np.arange(2**horizon)[:, None] >> np.arange(horizon)) & 1  # every sequence of answers
    right = np.cumsum(walks, axis=1)
    chance = p ** right[:, -1] * (1 - p) ** (horizon - right[:, -1])
    ever = (right >= counts[1:]).any(axis=1)
    false = float(chance[ever].sum())
    assert 0.03 < false <= 0.1
    # By every moment, no more than its share.
    for n in range(1, horizon + 1):
        assert chance[(right[:, :n] >= counts[1 : n + 1]).any(axis=1)].sum() <= 0.1 * n / horizon + 1e-12


def test_looking_after_every_label_the_truth_is_inside_all_the_time_in_95_of_100() -> None:
    p, horizon = 0.95, 300
    right = np.cumsum(np.random.default_rng(0).random((2000, horizon)) < p, axis=1)
    low = (right >= critical_counts(p, horizon, 0.04)[1:]).any(axis=1).mean()
    wrong = np.arange(1, horizon + 1) - right
    high = (wrong >= critical_counts(1 - p, horizon, 0.01)[1:]).any(axis=1).mean()
    assert low <= 0.05
    assert high <= 0.015


def test_it_is_little_wider_than_one_look_and_much_narrower_than_without_an_end() -> None:
    for n, correct in ((500, 475), (400, 388), (300, 270)):
        low, high = sequential_interval(correct, n, 500)
        plain, endless = wilson(correct, n), anytime_interval(correct, n)
        assert endless[0] < low < plain[0] < plain[1] < high <= 1
        assert high - low < 1.45 * (plain[1] - plain[0])
        assert high - low < 0.9 * (endless[1] - endless[0])
        assert low - endless[0] > plain[0] - low


def test_the_interval_and_the_test_of_a_target_agree() -> None:
    for correct in range(150, 201):
        low, high = sequential_interval(correct, 200, 300)
        assert low <= correct / 200 <= high
        for target in (0.8, 0.9, 0.95, 0.975):
            assert proven(correct, 200, target, 300) == (low >= target)
            assert proven(correct, 200, target, 9999) == (anytime_interval(correct, 200)[0] >= target)


def test_how_many_more_labels_would_prove_it() -> None:
    more = labels_to_prove(98, 100, 0.95, 600)
    assert more is not None
    counts = critical_counts(0.95, 600, 0.04)
    assert 0.98 * (100 + more) >= counts[100 + more]
    assert 0.98 * (99 + more) < counts[99 + more]
    assert labels_to_prove(480, 500, 0.95, 600) is None
    assert labels_to_prove(95, 100, 0.5, 600) == 0
    # No plan can do with less than one look at as many labels needs.
    assert binom.sf(0.98 * (100 + more) - 1, 100 + more, 0.95) < 0.04


def test_edges() -> None:
    assert sequential_interval(0, 0, 100) == (0.0, 1.0)
    assert sequential_interval(5, 10, LONGEST + 1) == anytime_interval(5, 10)
    assert sequential_interval(12, 12, 10) == anytime_interval(12, 12)
    with pytest.raises(ValueError, match="cannot be 3 right answers of 2"):
        sequential_interval(3, 2, 10)
