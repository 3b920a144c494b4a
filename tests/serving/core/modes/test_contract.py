"""What every mode keeps, whatever it decides by."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from serving.core.modes import CHALLENGER, CHAMPION, MODES, Mode, Outlook, State, Verdict, mode_named
from serving.core.modes.canary import Traffic
from serving.core.modes.shadow import Evidence as ShadowEvidence
from serving.core.records import Settings, from_json, to_json
from serving.core.statistics.contrast import ContrastSums
from serving.core.statistics.cuped import Moments
from serving.core.statistics.off_policy import OffPolicySums
from serving.core.statistics.strata import Stratum
from serving.core.statistics.weighting import WeightedSums

AnyMode = Mode[Any, Any]
all_modes = pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
# Few, some, so many that everything is certain.
COUNTS = st.integers(0, 30) | st.integers(0, 3000) | st.integers(0, 10**7)


def moments(seed: int) -> Moments:
    rng = np.random.default_rng(seed)
    n = seed % 500
    y, x = rng.random((2, n)) < 0.8
    return Moments(n, y.sum().item(), y.sum().item(), x.sum().item(), x.sum().item(), (x & y).sum().item())


def weighted(seed: int) -> WeightedSums:
    rng = np.random.default_rng(seed)
    unit = rng.integers(0, 40, seed % 500) if seed % 2 else None
    return WeightedSums.of(np.round(rng.random(seed % 500)), 1 / rng.uniform(0.1, 1, seed % 500), unit)


def off_policy(seed: int) -> OffPolicySums:
    rng = np.random.default_rng(seed)
    answered, reward, expected = rng.random((3, seed % 500))
    return OffPolicySums.of(answered < 0.3, np.full(seed % 500, 0.3), reward, expected)


def contrast(seed: int) -> ContrastSums:
    rng = np.random.default_rng(seed)
    chosen, right = rng.random((2, seed % 500)) < 0.7
    unit = rng.integers(0, 40, seed % 500) if seed % 2 else None
    return ContrastSums.of(chosen, np.where(chosen, 0.7, 0.3), right, unit)


# Sums that some labels could have, not any numbers.
SUMS: dict[object, Callable[[int], object]] = {
    Moments: moments,
    WeightedSums: weighted,
    OffPolicySums: off_policy,
    ContrastSums: contrast,
}


def values_of(kind: object, name: str = "") -> st.SearchStrategy[Any]:
    """Anything that a field of this type may hold."""
    inside = get_args(kind)
    if kind in SUMS:
        return st.integers(0, 10**6).map(SUMS[kind])
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        built = st.builds(kind, **{one.name: values_of(hints[one.name], one.name) for one in fields(kind)})
        return built.map(possible)
    if get_origin(kind) is dict:
        arms = {"by_class": ["cat", "dog"], "weights": [""], "metrics": ["accuracy"]}
        keys = st.sampled_from(arms.get(name, [CHALLENGER, CHAMPION]))
        return st.dictionaries(keys, values_of(inside[1]), max_size=2)
    if get_origin(kind) is tuple:
        return st.lists(values_of(inside[0]), max_size=3).map(tuple)
    if type(None) in inside:
        return st.none() | values_of(inside[0])
    if kind is bool:
        return st.booleans()
    return st.floats(0, 10**6) if kind is float else st.integers(0, 2) if name == "step" else COUNTS


def possible(found: object) -> object:
    """Parts are no more than their whole, as counted by one query."""
    if isinstance(found, Traffic):
        most = found.requests
        images, timed = (None if one is None else min(one, most) for one in (found.images, found.timed))
        known = replace(found, images=images, timed=timed)
        events = {what: min(getattr(found, what), known.asked(what)) for what in ("errors", "slow")}
        return replace(known, **events)
    if isinstance(found, Stratum):
        return replace(
            found,
            champion_right=min(found.champion_right, found.champion_labels),
            challenger_right=min(found.challenger_right, found.challenger_labels),
        )
    if isinstance(found, ShadowEvidence):
        return replace(found, agreements=min(found.agreements, found.pairs))
    return found


@all_modes
@settings(max_examples=60, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_replaying_the_stored_log_gives_the_stored_verdict(mode: AnyMode, data: st.DataObject) -> None:
    config, evidence = mode.config(), data.draw(values_of(mode.evidence))
    verdict = mode.decide(config, evidence)
    stored = json.loads(json.dumps([to_json(config), to_json(evidence), to_json(verdict)], allow_nan=False))
    assert from_json(mode.evidence, stored[1]) == evidence
    assert mode.replay(stored[0], stored[1]) == stored[2]
    assert from_json(Verdict, stored[2]) == verdict
    # A database may keep the keys of objects in an order of its own.
    shuffled = [_reversed(one) for one in stored[:2]]
    assert mode.replay(*shuffled)["reason"] == stored[2]["reason"]
    assert verdict.reason.endswith(".")
    assert len(verdict.reason) <= 300
    assert (verdict.state is not None) == (verdict.action in ("advance", "reweight"))
    for one in verdict.figures:
        if one.arm and one.unit == "share":
            least = -1 if one.arm == "difference" else 0
            assert all(least <= end <= 1 for end in (one.low, one.high) if end is not None)


def _reversed(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _reversed(value[key]) for key in reversed(list(value))}
    return value


@all_modes
def test_without_evidence_it_holds_and_says_what_it_waits_for(mode: AnyMode) -> None:
    verdict = mode.decide(mode.config(), mode.evidence())
    assert verdict.action == "hold"
    assert verdict.reason.startswith("Waits for ")
    assert any(letter.isdigit() for letter in verdict.reason)


@all_modes
def test_every_setting_can_be_asked_for(mode: AnyMode) -> None:
    config = mode.config()
    assert {one.name for one in mode.settings} == {one.name for one in fields(config)}
    for one in mode.settings:
        assert one.title[0].isupper()
        assert one.help
        if one.kind in ("number", "whole number"):
            assert one.low is not None
            assert one.high is not None
            for wrong in (one.low - 1, one.high + 1):
                with pytest.raises(ValueError, match=f"{one.title} must be "):
                    mode.config_from({one.name: int(wrong) if one.kind == "whole number" else float(wrong)})
        with pytest.raises(ValueError, match=f"'{one.name}' must be "):
            mode.config_from({one.name: None})
    assert mode.config_from({}) == config
    assert mode.config_from(to_json(config)) == config


@all_modes
@pytest.mark.parametrize("context", ["", "cat"])
def test_the_split_sends_every_key_somewhere_by_its_weight(mode: AnyMode, context: str) -> None:
    weights = {"": {CHALLENGER: 0.3, CHAMPION: 0.7}, "cat": {CHALLENGER: 0.05, CHAMPION: 0.95}}
    for state in (State(), State(step=1), State(weights=weights)):
        split = mode.split(mode.config(), state, context)
        assert math.isclose(sum(split.weights.values()), 1)
        arms = [split.arm(n / 10_000) for n in range(10_000)]
        for arm, weight in split.weights.items():
            assert arms.count(arm) == pytest.approx(10_000 * weight, abs=1)
        assert split.mirrored == 0 or split.weights[CHAMPION] == 1


@all_modes
def test_it_says_how_many_labels_it_will_take(mode: AnyMode) -> None:
    config = mode.config()
    wanted = [mode.labels_needed(config, Outlook(difference=gain)) for gain in (0.01, 0.03, 0.06)]
    assert wanted == sorted(wanted, reverse=True)
    assert 20 <= wanted[-1] <= wanted[0] < 10**6
    with pytest.raises(ValueError, match="give a change"):
        Outlook(accuracy=0.99, difference=0.02)
    with pytest.raises(ValueError, match="exactly one has right"):
        Outlook(difference=0.05, differing=0.02)


def test_there_are_the_five_modes_and_no_other_can_be_asked_for() -> None:
    assert list(MODES) == ["ab", "bandit", "canary", "interleaving", "shadow"]
    with pytest.raises(ValueError, match="There is no mode 'rolling'; there are: ab"):
        mode_named("rolling")
    with pytest.raises(ValueError, match="'share' must be a finite number"):
        MODES["shadow"].config_from({"share": float("nan")})
    with pytest.raises(ValueError, match="There is no 'shares'; there are share"):
        MODES["shadow"].config_from({"shares": 1})
    assert issubclass(MODES["ab"].config, Settings)
