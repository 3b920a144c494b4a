"""What is counted where clients stick to an arm by a unit's key, and where an image is sent by several."""

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from labelling.models import Item
from serving.core.modes import ab, bandit, canary, shadow
from serving.core.statistics.contrast import ContrastSums
from serving.core.statistics.off_policy import OffPolicySums, inverse_propensity
from serving.core.statistics.strata import UnitSpread
from serving.core.statistics.weighting import WeightedSums
from serving.models import Feedback, Prediction
from serving.selectors.evidence import evidence_of
from serving.services.replay import decisions_replay
from tests import factories
from tests.serving import trained
from tests.serving.conftest import Service, until
from tests.serving.rolled import Rolled, answer, images, rollout
from tests.serving.trained import DARK, picture

# Enough that each arm gets some, whatever the salt.
UNITS = [f"camera-{n}" for n in range(24)]


def ask_by_units(rolled: Rolled, count: int, start: int = 1000) -> None:
    """What half of them send is hard: no model is right about it."""
    for number, (image, label) in enumerate(images(count, start)):
        camera = number // 2 % len(UNITS)
        other = "light" if label == "dark" else "dark"
        asked = rolled.ask(image, **{"X-Unit-Key": UNITS[camera]})
        rolled.report(asked, other if camera % 2 else label)


Arrays = tuple[
    NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]
]


def labelled(rolled: Rolled) -> Arrays:
    """Phase, whether the challenger answered, with which chance, whether it was right, and the unit's number;
    of each image's first.
    """
    told = dict(Feedback.objects.values_list("prediction", "label__name"))
    seen: dict[str, Prediction] = {}
    for one in Prediction.objects.filter(rollout=rolled.pk).order_by("created_at"):
        if one.pk in told:
            seen.setdefault(one.digest, one)
    rows = list(seen.values())
    numbers: dict[str, int] = defaultdict(lambda: len(numbers))
    return (
        np.array([one.phase for one in rows]),
        np.array([one.arm == "challenger" for one in rows]),
        np.array([one.propensity for one in rows]),
        np.array([one.top[0]["label"] == told[one.pk] for one in rows]),
        np.array([numbers[one.unit] for one in rows]),
    )


def test_a_bandits_labels_are_summed_over_each_unit_of_a_phase(service: Service) -> None:
    rolled = rollout(
        service, "bandit", trained.version(service.project, seed=1), min_labels=10, batch_labels=5
    )
    ask_by_units(rolled, 96)
    assert len({one.unit for one in Prediction.objects.filter(rollout=rolled.pk)}) == len(UNITS)
    decision = rolled.look()
    assert decision is not None
    assert (decision.action, decision.rule) == ("reweight", "thompson")
    rolled.loaded()
    ask_by_units(rolled, 48, start=3000)
    found = evidence_of(rolled.row)
    assert isinstance(found, bandit.Evidence)
    assert found.contrast is not None
    phase, chosen, chance, right, unit = labelled(rolled)
    assert set(phase.tolist()) == {1, 2}
    by_phase = np.unique(phase * 1000 + unit, return_inverse=True)[1]
    wanted = ContrastSums.of(chosen, chance, right, by_phase)
    assert vars(found.contrast) == pytest.approx(vars(wanted))
    assert wanted.spread > 1.5 * ContrastSums.of(chosen, chance, right).spread
    # What an arm would be worth is of the units, whichever phases they asked in.
    value = found.off_policy["challenger"]
    assert value.by_unit is not None
    of_arm = np.where(chosen, chance, 1 - chance)
    by_unit = OffPolicySums.of(chosen, of_arm, right.astype(float), np.zeros(len(right)), unit).by_unit
    assert by_unit is not None
    assert value.by_unit.units == len(UNITS)
    found_sums, wanted_sums = ((of.ww, of.wr, of.nr, of.rr) for of in (value.by_unit, by_unit))
    assert found_sums == pytest.approx(wanted_sums)
    rolled.look()
    assert all(one.same for one in decisions_replay())


def test_a_canarys_labels_differ_by_units_in_all_steps_together(service: Service) -> None:
    rolled = rollout(
        service,
        "canary",
        trained.version(service.project, seed=1),
        steps=[0.3, 0.6],
        hold_seconds=0,
        min_requests=1,
        min_labels=10,
    )
    ask_by_units(rolled, 96)
    decision = rolled.look()
    assert decision is not None
    assert decision.action == "advance"
    rolled.loaded()
    ask_by_units(rolled, 48, start=3000)
    found = evidence_of(rolled.row)
    assert isinstance(found, canary.Evidence)
    phase, chosen, _, right, unit = labelled(rolled)
    wanted = UnitSpread.of(phase, chosen, right, unit)
    assert found.units is not None
    assert vars(found.units) == pytest.approx(vars(wanted))
    assert 1 < wanted.least < len(UNITS)
    decision = rolled.look()
    assert decision is not None
    assert (decision.action, decision.rule) == ("hold", "watching")
    assert "more units in each arm" in decision.reason
    assert all(one.same for one in decisions_replay())


def test_an_image_that_met_both_arms_is_one_label_of_what_an_arm_is_worth(service: Service) -> None:
    rolled = rollout(service, "bandit", trained.version(service.project, seed=1))
    for number in range(4):
        image = picture(DARK, number + 500)
        for camera in UNITS:
            rolled.report(rolled.ask(image, **{"X-Unit-Key": camera}), "light" if number == 3 else "dark")
    assert {one.arm for one in Prediction.objects.filter(rollout=rolled.pk)} == {"champion", "challenger"}
    found = evidence_of(rolled.row)
    assert isinstance(found, bandit.Evidence)
    _, chosen, chance, right, unit = labelled(rolled)
    for arm, answered in (("challenger", chosen), ("champion", ~chosen)):
        sums = found.off_policy[arm]
        wanted = OffPolicySums.of(answered, chance, right.astype(float), np.zeros(4), unit)
        assert sums.by_unit is not None
        assert wanted.by_unit is not None
        found_sums, wanted_sums = ((of.units, of.nn, of.nr, of.rr) for of in (sums.by_unit, wanted.by_unit))
        assert found_sums == pytest.approx(wanted_sums)
        assert (sums.n, sums.w, sums.wr, sums.w2) == (4, wanted.w, wanted.wr, wanted.w2)
    # Whoever answered first: the two estimates share the four images out.
    first = inverse_propensity(found.off_policy["challenger"]).mean
    assert first + inverse_propensity(found.off_policy["champion"]).mean == pytest.approx(1.5)


@pytest.mark.parametrize("mode", ["ab", "canary"])
def test_labels_of_an_arm_are_summed_over_each_unit(service: Service, mode: str) -> None:
    config: Any = {"steps": [0.5]} if mode == "canary" else {}
    rolled = rollout(service, mode, trained.version(service.project, seed=1), **config)
    ask_by_units(rolled, 96)
    found = evidence_of(rolled.row)
    assert isinstance(found, ab.Evidence | canary.Evidence)
    _, chosen, _, right, unit = labelled(rolled)
    for arm, mine in (("challenger", chosen), ("champion", ~chosen)):
        of = right[mine].astype(float), np.ones(int(mine.sum()))
        wanted, sums = WeightedSums.of(*of, unit[mine]), found.weighted[arm]
        assert sums.by_unit is not None
        assert wanted.by_unit is not None
        assert vars(sums.by_unit) == pytest.approx(vars(wanted.by_unit))
        assert sums.n == wanted.n
        assert sums.variance == pytest.approx(wanted.variance)
        assert sums.variance > 1.5 * WeightedSums.of(*of).variance


def test_labels_by_people_of_a_shadow_are_summed_over_each_clients_unit(service: Service) -> None:
    rolled = rollout(service, "shadow", trained.version(service.project, seed=1))
    sent = list(images(48))
    for number, (image, truth) in enumerate(sent):
        item = factories.item(service.project, data=image)
        wrong = "light" if truth == "dark" else "dark"
        hard = number // 2 % 6 < 2
        Item.objects.filter(pk=item.pk).update(metadata={"truth": wrong if hard else truth})
    answer(rolled, Item.objects.filter(metadata__has_key="truth"))
    for number, (image, _) in enumerate(sent):
        rolled.ask(image, **{"X-Unit-Key": UNITS[number // 2 % 6]})
    until(lambda: Prediction.objects.filter(status="shadow").count() == 48)
    found = evidence_of(rolled.row)
    assert isinstance(found, shadow.Evidence)
    truths = dict(Item.objects.values_list("digest", "metadata__truth"))
    numbers: dict[str, int] = defaultdict(lambda: len(numbers))
    for status, sums in (("ok", found.champion_labels), ("shadow", found.challenger_labels)):
        made = list(Prediction.objects.filter(rollout=rolled.pk, status=status))
        right = np.array([float(one.top[0]["label"] == truths[one.digest]) for one in made])
        clients = np.array([numbers[one.unit] for one in made])
        wanted = WeightedSums.of(right, np.ones(48), clients)
        assert sums.by_unit is not None
        assert wanted.by_unit is not None
        assert vars(sums.by_unit) == pytest.approx(vars(wanted.by_unit))
        assert (sums.by_unit.units, sums.n, sums.mean) == (6, 48, wanted.mean)
        assert sums.variance > 3 * WeightedSums.of(right, np.ones(48)).variance
