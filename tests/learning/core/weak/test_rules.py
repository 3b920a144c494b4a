import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.core.weak.conditions import RuleItems
from learning.core.weak.patterns import CAP, safe_pattern
from learning.core.weak.rules import rule_from_json, votes

ITEMS = RuleItems(
    ids=["a", "b", "c"],
    metadata=[{"camera": "North 7", "lux": "12"}, {"camera": "south-12", "lux": 300}, {}],
    scores=np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]]),
    embeddings=np.array([[1, 0], [0, 3], [-1, 0]], dtype=np.float32),
    examples={"x": np.array([2, 0], dtype=np.float32)},
)


def rule(*when: dict[str, Any], label: int = 1) -> dict[str, Any]:
    return {"name": "r", "label": label, "when": list(when)}


def metadata(field: str, sign: str, value: str | float) -> dict[str, Any]:
    return {"kind": "metadata", "field": field, "operator": sign, "value": value}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (rule(metadata("lux", "<", 100)), [1, -1, -1]),
        (rule(metadata("lux", "=", "300.0")), [-1, 1, -1]),
        (rule(metadata("lux", "!=", 12)), [-1, 1, -1]),
        (rule(metadata("camera", "contains", "NORTH"), label=0), [0, -1, -1]),
        (rule(metadata("camera", "<", 5)), [-1, -1, -1]),  # text is not less than a number
        (rule({"kind": "pattern", "field": "camera", "pattern": r"\d\d$"}), [-1, 1, -1]),
        (rule({"kind": "score", "label": 0, "at_least": 0.5}), [1, 1, -1]),
        (rule({"kind": "near", "examples": ["x"], "distance": 0.1}), [1, -1, -1]),
        (rule({"kind": "near", "examples": ["x"], "distance": 1.5}), [1, 1, -1]),
        (rule({"kind": "score", "label": 0, "at_least": 0.5}, metadata("lux", ">", 100)), [-1, 1, -1]),
        ({"name": "r", "table": {"c": 0, "a": 1, "other": 1}}, [1, -1, 0]),
    ],
)
def test_a_rule_votes_where_its_conditions_hold(data: dict[str, Any], expected: list[int]) -> None:
    parsed = rule_from_json(json.loads(json.dumps(data)), classes=2)
    assert votes([parsed], ITEMS)[:, 0].tolist() == expected
    assert votes([parsed, parsed], ITEMS).shape == (3, 2)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ([], "A rule needs a name"),
        ({"name": "r"}, "at least one condition"),
        (rule(metadata("a", "=", 1), label=2), r"2 is not one of the labels 0\.\.1"),
        ({"name": "r", "table": {"a": "cat"}}, "'cat' is not one of the labels"),
        ({"name": "r", "table": {}}, "at least one item"),
        (rule({"kind": "python", "code": "1"}), "no condition 'python'; there are: metadata"),
        (rule({"kind": "score", "label": 0}), "'score' needs label, at_least and nothing else"),
        (rule({"kind": "score", "label": 0, "at_least": "x"}), "'x' cannot be the at_least"),
        (rule({"kind": "score", "label": 0, "at_least": 7}), "between 0 and 1; 7 does not"),
        (rule(metadata("a", "~", 1)), "no operator '~'"),
        (rule(metadata("a", "<", "x")), "compares numbers, and 'x' is none"),
        (rule({"kind": "near", "examples": [], "distance": 1}), "needs examples"),
        (rule({"kind": "pattern", "field": "a", "pattern": "("}), "is not a regular expression"),
    ],
)
def test_a_bad_rule_is_refused_in_a_sentence(data: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        rule_from_json(data, classes=2)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (rule({"kind": "score", "label": 0, "at_least": 0.5}), "Rule 'r': There is no model yet"),
        (rule({"kind": "near", "examples": ["x"], "distance": 1}), "Rule 'r': The items are not embedded"),
    ],
)
def test_a_rule_that_lacks_something_says_which_and_what(data: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        votes([rule_from_json(data, classes=2)], RuleItems(["a"], [{}]))


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|a)*b",
        "(a|b)(a|b)",
        r"(a)\1",
        "(?=a)b",
        "a*a*a*a*b",
        "(a?){30}",
        "a" * 101,
        "(a+){1,9999}",
        "(a+){,30}",
        "[[a]",
        "[a--b]",
        "[[",
    ],
)
def test_patterns_that_could_take_years_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="The pattern"):
        safe_pattern(pattern)


@given(st.text(alphabet="ab.*+?{}()[]|\\d1,^$", max_size=14))
def test_whatever_is_allowed_ends(pattern: str) -> None:
    """The suite's own limit would stop it otherwise; the worst text is one that almost matches."""
    try:
        allowed = safe_pattern(pattern)
    except ValueError:
        return
    allowed.search("a" * CAP)


@pytest.mark.parametrize("pattern", [r"IMG_\d+\.png", "(cat|dog)s?", r"^[\w-]+@.*$", r"a{2,3}"])
def test_common_patterns_are_allowed(pattern: str) -> None:
    assert safe_pattern(pattern).pattern == pattern
