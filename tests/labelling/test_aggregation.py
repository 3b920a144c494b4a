from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from labelling.core.aggregation import majority
from labelling.core.mixing import from_holdout


def test_nobody_said_anything() -> None:
    assert majority([]) is None


def test_a_later_tie_does_not_overturn_the_label_that_had_its_voices_first() -> None:
    verdict = majority([7, 3, 3, 7])
    assert verdict is not None
    assert (verdict.label, verdict.answers, verdict.agreement) == (3, 4, 0.5)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_the_majority_has_the_most_voices_and_reached_them_first(labels: list[int]) -> None:
    verdict = majority(labels)
    assert verdict is not None
    voices = Counter(labels)
    most = max(voices.values())
    reached = {
        label: [i for i, one in enumerate(labels) if one == label][most - 1]
        for label in voices
        if voices[label] == most
    }
    assert verdict.label == min(reached, key=lambda label: reached[label])
    assert verdict.agreement == most / len(labels)


def test_the_holdout_draw_keeps_its_share_and_can_be_replayed() -> None:
    drawn = [from_holdout(42, number, 0.25) for number in range(4000)]
    assert drawn == [from_holdout(42, number, 0.25) for number in range(4000)]
    assert 0.22 < sum(drawn) / len(drawn) < 0.28
    assert not any(from_holdout(42, number, 0.0) for number in range(100))
    assert all(from_holdout(42, number, 1.0) for number in range(100))
