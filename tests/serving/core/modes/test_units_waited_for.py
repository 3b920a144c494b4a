"""A unit's labels are alike: no mode ends by those of a few."""

from dataclasses import replace
from typing import Any

import numpy as np

from serving.core.modes import bandit, canary
from serving.core.statistics.contrast import ContrastSums
from serving.core.statistics.strata import Stratum, UnitSpread
from tests.serving.core.modes.test_decisions import CANARY, LAST, answers, said


def sticky(units: int, **more: Any) -> bandit.Evidence:
    """Of 1,600 labels at even shares; the challenger's units have more right."""
    unit = np.arange(1600) % units
    new, right = unit % 2 == 0, np.arange(1600) % 8 != 1
    counts = answers(
        (int((right & ~new).sum()), int((~right & ~new).sum())),
        (int((right & new).sum()), int((~right & new).sum())),
    )
    return replace(counts, contrast=ContrastSums.of(new, np.full(1600, 0.5), right, unit), **more)


def test_a_bandit_waits_for_units_before_it_ends() -> None:
    config = bandit.Config()
    assert said(bandit.decide(config, sticky(400))) == ("promote", "better")
    few = sticky(16)
    assert bandit.decide(config, few).action == "reweight", "shares may follow what is likely"
    waits = bandit.decide(config, replace(few, labels_at_change=1600))
    assert said(waits) == ("hold", "few-units")
    assert waits.reason.startswith("Waits for labels of 12 more units in each arm")
    # Of the same labels, units of their own, and of a decision that was stored before units were counted.
    plain = ContrastSums.of(np.arange(1600) % 2 == 0, np.full(1600, 0.5), np.arange(1600) % 8 != 1)
    assert said(bandit.decide(config, replace(few, contrast=plain))) == ("promote", "better")


def test_a_canary_is_neither_taken_back_nor_promoted_by_labels_of_few_units() -> None:
    config = canary.Config()
    worse = replace(CANARY, labels=(Stratum(950, 1000, 120, 200),))
    for evidence, ends in ((worse, "roll_back"), (LAST, "promote")):
        assert canary.decide(config, evidence).action == ends
        same = UnitSpread(1e-4, 500, 200)
        assert canary.decide(config, replace(evidence, units=same)).action == ends
        few = canary.decide(config, replace(evidence, units=replace(same, challenger=8.5)))
        assert few.action != ends
        differ = canary.decide(config, replace(evidence, units=replace(same, variance=0.01)))
        assert differ.action != ends
    few = canary.decide(config, replace(LAST, units=UnitSpread(1e-4, 500, 8.5)))
    assert said(few) == ("hold", "watching")
    assert "Waits for labels of 12 more units in each arm" in few.reason
    one = canary.decide(config, replace(LAST, units=UnitSpread(0.0, 30, 1)))
    [shown] = [one for one in one.figures if (one.name, one.arm) == ("accuracy", "difference")]
    assert (shown.low, shown.high) == (-1, 1)
