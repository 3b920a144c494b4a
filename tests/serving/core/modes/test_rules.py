"""Rules that changed: what they decide now, and that what was decided before comes out as it did."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serving.core.modes import CHALLENGER, CHAMPION, MODES, ab, bandit
from serving.core.modes.failures import RULES, failing, levels
from serving.core.records import from_json, to_json

# Written by the program as it was when no evidence said by which rules it was gathered. The first of a mode
# decides by a comparison that 1/20 is enough for and 1/25 is not, or by 16 errors in 500, which lie between
# 1/40 and 1/100.
BEFORE = json.loads((Path(__file__).parent / "decided_before.json").read_text())
COMPARED = list({one["mode"]: one for one in reversed(BEFORE) if one["verdict"]["rule"] == "better"}.values())
FAILED = [one for one in BEFORE if one["verdict"]["rule"] == "errors"]


def named(stored: dict[str, Any]) -> str:
    return f"{stored['mode']}-{stored['verdict']['rule']}"


@pytest.mark.parametrize("stored", BEFORE, ids=named)
def test_what_was_decided_before_comes_out_exactly_as_it_did(stored: dict[str, Any]) -> None:
    assert MODES[stored["mode"]].replay(stored["config"], stored["evidence"]) == stored["verdict"]


def test_what_was_decided_before_is_of_every_mode_and_both_tests() -> None:
    assert {one["mode"] for one in BEFORE} == set(MODES)
    assert {one["mode"] for one in COMPARED} == {one["mode"] for one in FAILED}
    assert {one["mode"] for one in COMPARED} == set(MODES) - {"canary"}


@pytest.mark.parametrize("alpha", [0.0001, 0.05, 0.2])
def test_the_two_tests_of_a_mode_err_by_no_more_than_was_asked_for(alpha: float) -> None:
    assert sum(levels(alpha, RULES)) <= alpha * (1 + 1e-12)
    assert min(levels(alpha, RULES)) > 0
    assert levels(alpha, 1) == (alpha, alpha / 2)


@pytest.mark.parametrize("stored", COMPARED + FAILED, ids=named)
def test_evidence_that_was_just_enough_is_not_any_more(stored: dict[str, Any]) -> None:
    mode = MODES[stored["mode"]]
    evidence = from_json(mode.evidence, {**stored["evidence"], "rules": RULES})
    verdict = mode.decide(mode.config_from(stored["config"]), evidence)
    assert verdict.action in ("hold", "reweight")


def test_the_interval_of_errors_is_tested_at_the_level_it_is_given() -> None:
    evidence = from_json(MODES["ab"].evidence, FAILED[0]["evidence"])
    assert isinstance(evidence, ab.Evidence)
    assert failing(evidence.failures, 0.01, 1 / 40) is not None
    assert failing(evidence.failures, 0.01, 1 / 100) is None


def test_an_ab_tests_arms_have_intervals_that_hold_at_every_look() -> None:
    evidence = from_json(MODES["ab"].evidence, BEFORE[0]["evidence"])
    assert isinstance(evidence, ab.Evidence)
    once, always = (
        {one.arm: one for one in ab.decide(ab.Config(), given).figures if one.name == "accuracy"}
        for given in (evidence, replace(evidence, rules=RULES))
    )
    for arm in (CHAMPION, CHALLENGER):
        widths = []
        for one in (once[arm], always[arm]):
            assert one.low is not None
            assert one.high is not None
            widths.append(one.high - one.low)
        assert once[arm].value == always[arm].value
        assert 1.3 < widths[1] / widths[0] < 2


def test_a_bandits_evidence_says_how_its_labels_differ_by_units_and_survives_being_stored() -> None:
    stored = next(one["evidence"] for one in BEFORE if one["mode"] == "bandit")
    evidence = from_json(bandit.Evidence, stored)
    assert evidence.rules == 1
    assert all(one.by_unit is None for one in evidence.off_policy.values())
    assert from_json(bandit.Evidence, to_json(evidence)) == evidence
