import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.core.assignment import Range, arm_at, bucket, buckets, fnv32a, ranges


def test_the_hash_is_the_published_one() -> None:
    """FNV-1a's reference vectors; GrowthBook's cases.json for version 2, and others that agree with it."""
    assert [fnv32a(text) for text in ("", "a", "foobar")] == [0x811C9DC5, 0xE40C292C, 0xBF9CF968]
    assert bucket("seed", "a") == 0.0505
    assert bucket("", "a") == 0.0216
    assert bucket("ef", "d") == 0.8601
    assert bucket("asdf", "8952klfjas09ujk") == 0.8546
    assert bucket("hero-input", "visitor-1") == 0.6755


@settings(max_examples=40, deadline=None)
@given(
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12), min_size=1),
)
def test_many_keys_at_once_get_what_each_gets_alone(seed: str, keys: list[str]) -> None:
    together = buckets(seed, np.array([key.encode() for key in keys], np.bytes_))
    assert (together / 10_000).tolist() == [bucket(seed, key) for key in keys]


@settings(max_examples=40, deadline=None)
@given(st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0.01, 0.99))
def test_nobody_moves_when_a_share_widens(one: float, other: float, weight: float) -> None:
    low, high = sorted((one, other))
    narrow, wide = (ranges({"a": weight, "b": 1 - weight}, coverage) for coverage in (low, high))
    for n in np.arange(0, 1, 0.003).tolist():
        assert arm_at(n, narrow) in (None, arm_at(n, wide))


def test_ranges_do_not_depend_on_the_order_of_names_and_cover_all() -> None:
    assert (
        ranges({"b": 0.9, "a": 0.1})
        == ranges({"a": 0.1, "b": 0.9})
        == [Range("a", 0, 0.1), Range("b", 0.1, 1)]
    )
    assert ranges({"a": 0.5, "b": 0.5}, 0.2) == [Range("a", 0, 0.1), Range("b", 0.5, 0.6)]
    with pytest.raises(ValueError, match="have the sum 1"):
        ranges({"a": 0.5, "b": 0.6})
