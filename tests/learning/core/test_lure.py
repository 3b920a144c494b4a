import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from learning.core.lure import drawn_accuracy, lure_accuracy, lure_weights


def test_over_all_orders_it_is_unbiased_as_brute_force_finds() -> None:
    wrong, score = np.array([1.0, 0, 0, 1, 0]), np.array([5.0, 1, 2, 1, 1])
    expected = 0.0
    for order in itertools.permutations(range(5), 3):
        left, chance = set(range(5)), []
        for item in order:
            chance.append(score[item] / score[list(left)].sum())
            left.remove(item)
        weights = lure_weights(np.array(chance), 5)
        expected += np.prod(chance) * float((weights * wrong[list(order)]).mean())
    assert expected == pytest.approx(wrong.mean())


def drawn(
    wrong: NDArray[np.bool_], score: NDArray[np.float64], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    left, chance, right = np.ones(len(wrong), dtype=bool), [], []
    for _ in range(count):
        q = np.where(left, score, 0) / score[left].sum()
        item = rng.choice(len(wrong), p=q)
        chance.append(q[item])
        right.append(not wrong[item])
        left[item] = False
    return np.array(right), np.array(chance)


def test_where_uncertain_items_are_asked_more_it_covers_and_beats_the_plain_share() -> None:
    rng = np.random.default_rng(0)
    covered, off, plain = [], [], []
    for _ in range(150):
        doubt = rng.beta(0.5, 3, 1000)
        wrong = rng.random(1000) < doubt
        right, chance = drawn(wrong, doubt + 0.1, 100, rng)
        found = lure_accuracy(right, chance, 1000)
        covered.append(found.low <= 1 - wrong.mean() <= found.high)
        off.append(found.accuracy - (1 - wrong.mean()))
        plain.append(right.mean() - (1 - wrong.mean()))
    assert np.mean(covered) >= 0.92
    assert abs(np.mean(off)) < 0.01
    assert np.sqrt(np.mean(np.square(off))) < 0.5 * np.sqrt(np.mean(np.square(plain)))


def test_drawn_evenly_it_is_the_plain_share_and_of_the_whole_pool_the_truth() -> None:
    right = np.array([True, True, False, True])
    even = lure_accuracy(right, 1 / (100.0 - np.arange(4)), 100)
    assert even.accuracy == pytest.approx(0.75)
    assert even.low < 0.5
    whole = lure_accuracy(right, 1 / (4.0 - np.arange(4)), 4)
    assert (whole.low, whole.accuracy, whole.high) == (0.75, 0.75, 0.75)


def test_no_error_yet_is_not_certainty() -> None:
    found = lure_accuracy(np.ones(20, dtype=bool), 1 / (500.0 - np.arange(20)), 500)
    assert found.accuracy == 1
    assert found.low < 0.9


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="0 answers"):
        lure_accuracy(np.empty(0, dtype=bool), np.empty(0), 5)
    with pytest.raises(ValueError, match="3 answers and 3 chances from a pool of 2"):
        lure_accuracy(np.ones(3, dtype=bool), np.ones(3), 2)
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        lure_accuracy(np.ones(1, dtype=bool), np.zeros(1), 2)


def asked(
    doubt: NDArray[np.float64], count: int, share: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """As a queue asks: at times evenly at random from what is left, else the most doubtful that is left."""
    chance, worst = iter(rng.permutation(len(doubt)).tolist()), iter(np.argsort(-doubt).tolist())
    order: dict[int, None] = {}
    drawn = rng.random(count) < share
    drawn[0] = True
    for at_random in drawn:
        order[next(one for one in (chance if at_random else worst) if one not in order)] = None
    return np.array(list(order)), drawn


@pytest.mark.parametrize(("pool", "count"), [(1000, 100), (500, 250)])
def test_with_some_questions_drawn_at_random_the_chosen_ones_do_no_harm(pool: int, count: int) -> None:
    rng = np.random.default_rng(1)
    covered, off, plain = [], [], []
    for _ in range(150):
        doubt = rng.beta(0.3, 4, pool)
        wrong = rng.random(pool) < doubt
        order, at_random = asked(doubt, count, 0.25, rng)
        found = drawn_accuracy(~wrong[order], at_random, pool)
        truth = 1 - wrong.mean()
        covered.append(found.low <= truth <= found.high)
        off.append(found.accuracy - truth)
        plain.append(1 - wrong[order][at_random].mean() - truth)
    assert np.mean(covered) >= 0.93
    assert abs(np.mean(off)) < 0.25 * np.mean(plain)
    assert np.sqrt(np.mean(np.square(off))) < np.sqrt(np.mean(np.square(plain)))


def test_drawn_accuracy_over_all_orders_is_unbiased_as_brute_force_finds() -> None:
    wrong = np.array([1.0, 0, 1, 0, 0])
    expected = 0.0
    for first, third in itertools.product(range(5), repeat=2):
        second = next(item for item in (0, 1) if item != first)  # chosen, for sure
        if third in (first, second):
            continue
        order = [first, second, third]
        found = drawn_accuracy(wrong[order] == 0, np.array([True, False, True]), 5)
        expected += (1 - found.accuracy) / 5 / 3
    assert expected == pytest.approx(wrong.mean())


def test_all_drawn_is_lure_and_none_drawn_is_refused() -> None:
    right = np.array([True, False, True, True])
    same = lure_accuracy(right, 1 / (50.0 - np.arange(4)), 50)
    assert drawn_accuracy(right, np.ones(4, bool), 50).accuracy == pytest.approx(same.accuracy)
    assert drawn_accuracy(right, np.zeros(4, bool), 4).accuracy == 0.75
    with pytest.raises(ValueError, match="None of the items was drawn"):
        drawn_accuracy(right, np.zeros(4, bool), 50)
    with pytest.raises(ValueError, match="5 answers and 4 draws"):
        drawn_accuracy(np.ones(5, bool), np.ones(4, bool), 50)
