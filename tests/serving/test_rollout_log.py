"""The log of a rollout: what was done, by whom and why, enough to do all of it again."""

import io

import pytest
from django.core.management import CommandError, call_command

from serving.core.assignment import bucket
from serving.models import Decision, Prediction
from serving.services.deployments import deployments_consider
from serving.services.replay import decisions_replay
from tests.serving import trained
from tests.serving.conftest import Service
from tests.serving.rolled import rollout


def test_the_log_says_how_it_was_set_up_and_by_which_salts_units_were_dealt(service: Service) -> None:
    rolled = rollout(service, "bandit", trained.version(service.project, seed=1), min_labels=10, alpha=0.0001)
    rolled.ask_and_report(60, mistaken=3)
    changed = rolled.look()
    assert changed is not None
    assert changed.action == "reweight"
    rolled.loaded()
    rolled.ask_and_report(20, start=3000)
    created = Decision.objects.filter(rollout=rolled.pk).earliest("id")
    row = rolled.row
    assert (created.action, created.rule, created.actor) == ("create", "person", row.created_by)
    assert (created.model_version, created.previous) == (row.challenger, service.version)
    assert created.evidence["config"] == row.config
    assert (created.evidence["mode"], created.evidence["audit_share"]) == ("bandit", 0.1)
    # From the log alone: who was to answer whom, in each phase.
    salts = {1: created.evidence["salt"], changed.evidence["phase"]: changed.evidence["salt"]["after"]}
    shares = {1: 0.5, 2: changed.evidence["verdict"]["state"]["weights"][""]["challenger"]}
    answered = list(Prediction.objects.filter(rollout=rolled.pk))
    assert {one.phase for one in answered} == {1, 2}
    for one in answered:
        assert one.phase is not None
        n = bucket(salts[one.phase], one.digest)
        assert one.bucket == round(10_000 * n)
        assert one.arm == ("challenger" if n < shares[one.phase] else "champion")

    def told() -> list[bool]:
        return ["salt" in one["evidence"] for one in rolled.manager.get(rolled.api).json()["decisions"]]

    assert not any(told()), "whoever knew it could choose their arm"
    rolled.act("abort")
    assert told().count(True) == 2
    assert all(one.same for one in decisions_replay())


def test_a_decision_that_cannot_be_read_keeps_no_other_from_being_replayed(service: Service) -> None:
    first = Decision.objects.get(actor=None)
    Decision.objects.create(
        project=service.project,
        model_version=service.version,
        action="promote",
        rule="not-worse",
        reason="Written by another program.",
        evidence={"champion": {"accuracy": 1}},
    )
    trained.version(service.project, seed=1)
    deployments_consider()
    told = [(bool(one.unread), one.same) for one in decisions_replay()]
    assert told[:2] == [(False, True), (True, False)]
    assert told[2:] == [(False, True)] * (len(told) - 2)
    assert len(told) > 2
    assert decisions_replay()[0].decision == first
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"^Some decisions cannot be read\.$"):
        call_command("decisions_replay", stdout=out)
    assert "cannot be read: " in out.getvalue()
    assert f"{len(told) - 1} of {len(told)} decisions come out the same." in out.getvalue()
