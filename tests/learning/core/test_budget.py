"""Whatever a training is granted, it takes no more than it may by plan; transfer alone always runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.core.methods import METHODS
from learning.core.methods.base import FALLBACK
from learning.core.methods.budget import Budget, Size, granted, megabytes_of, seconds_of

sizes = st.builds(Size, st.integers(2, 100_000), st.integers(0, 20_000), st.integers(1, 4_000))
budgets = st.builds(Budget, st.floats(1, 1_000), st.floats(10, 10_000))


@given(st.sampled_from(sorted(METHODS)), sizes, budgets, st.integers(1, 6))
def test_what_is_granted_is_within_the_budget(name: str, size: Size, budget: Budget, fits: int) -> None:
    may = granted(name, size, budget, fits)
    assert may.method in (name, FALLBACK)
    assert 0 <= may.unlabelled <= size.unlabelled
    takes = Size(size.labels, may.unlabelled, size.features)
    entry = METHODS[may.method]
    seconds, megabytes = fits * seconds_of(entry, takes), megabytes_of(entry, takes)
    if may.method != FALLBACK:
        assert seconds <= budget.seconds * 1.000_001
        assert megabytes <= budget.megabytes * 1.000_001
    elif name == FALLBACK:
        assert bool(may.note) == (seconds > budget.seconds or megabytes > budget.megabytes)
    # Whoever gets less than he asked for is told, and nobody else.
    less = may.method != name or (may.unlabelled < size.unlabelled and "unlabelled" in METHODS[name].uses)
    assert bool(may.note) == less or name == FALLBACK


@given(st.sampled_from(sorted(METHODS)), sizes, budgets, st.floats(1, 10), st.floats(1, 10))
def test_who_is_given_more_is_granted_no_less(
    name: str, size: Size, budget: Budget, longer: float, larger: float
) -> None:
    may = granted(name, size, budget)
    more = granted(name, size, Budget(budget.seconds * longer, budget.megabytes * larger))
    assert more.method == name or may.method == more.method
    assert more.unlabelled >= may.unlabelled


@pytest.mark.parametrize(
    ("name", "budget", "method", "open_", "note"),
    [
        ("semi-supervised", Budget(300, 2_000), "semi-supervised", 10_000, ""),
        (
            "semi-supervised",
            Budget(300, 100),
            "semi-supervised",
            2_132,
            "It learned from 2,132 of 10,000 images without a label: more are not within the time and memory "
            "that a training may take.",
        ),
        (
            "semi-supervised",
            Budget(300, 10),
            "transfer",
            0,
            "Transfer instead of Semi-supervised, which needs about 27 megabytes of the 10 that a training "
            "may take.",
        ),
        (
            "self-training",
            Budget(5, 2_000),
            "transfer",
            0,
            "Transfer instead of Self-training, which needs about 7 seconds of the 5 that a training may "
            "take.",
        ),
        (
            "transfer",
            Budget(300, 5),
            "transfer",
            0,
            "Transfer needs about 19 megabytes of the 5 that a training may take; nothing quicker learns as "
            "well.",
        ),
    ],
)
def test_a_person_reads_what_was_granted(
    name: str, budget: Budget, method: str, open_: int, note: str
) -> None:
    may = granted(name, Size(200, 10_000, 1_728), budget)
    assert (may.method, may.unlabelled, may.note) == (method, open_, note)
