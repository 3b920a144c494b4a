"""Every mode through the real HTTP API: from the rollout's start to the decision that its labels lead to."""

import copy
import time
from html import unescape

import pytest

from labelling.models import Item
from serving.core.modes import bandit
from serving.models import Decision, Deployment, Prediction, Rollout
from serving.selectors.evidence import evidence_of
from serving.services.deployments import deployment_promote, deployments_consider
from serving.services.replay import decisions_replay
from tests import factories
from tests.serving import trained
from tests.serving.conftest import Service, answers_with, until
from tests.serving.rolled import Rolled, answer, images, rollout

WRONG = (1, 0)


def ends(rolled: Rolled, state: str) -> None:
    """The state is reached, deployment and clients follow, and the log gives every decision again."""
    row = rolled.row
    assert row.state == state, (row.state, row.waits_for)
    answering = row.challenger if state == Rollout.State.PROMOTED else rolled.service.version
    assert Deployment.objects.get(question=row.question).champion == answering
    until(lambda: answers_with(rolled.service.project, answering))
    rolled.loaded()
    assert "model" not in rolled.ask(next(images(1, 5000))[0])
    replayed = decisions_replay()
    assert all(one.same for one in replayed)
    assert any(one.decision.rollout == row for one in replayed)


@pytest.fixture
def wrong(service: Service) -> Service:
    """The champion is wrong about every image."""
    worst = trained.version(service.project, seed=9, taught=WRONG)
    deployment_promote(project=service.project, version=worst, actor=factories.user(), reason="A test.")
    until(lambda: answers_with(service.project, worst))
    return service


def test_an_ab_test_divides_clients_and_rolls_a_worse_model_back(service: Service) -> None:
    worse = trained.version(service.project, seed=1, taught=WRONG)
    rolled = rollout(
        service, "ab", worse, min_units=20, planned_units=100, metrics=["accuracy", "listed", "errors"]
    )
    asked = rolled.ask_and_report(20, mistaken=10)
    assert {one["arm"] for one in asked} == {"champion", "challenger"}
    for one in asked:
        version = worse if one["arm"] == "challenger" else service.version
        assert one["model"] == {
            "version": version.number,
            "digest": version.digest,
            "precision": "float32",
        }
    assert rolled.look().rule == "few-units"  # type: ignore[union-attr]  # the first look is news
    assert rolled.look() is None, "nothing new was decided"
    rolled.ask_and_report(80, start=2000, mistaken=10)
    decision = rolled.look()
    assert decision is not None
    assert (decision.action, decision.rule, decision.actor) == ("roll_back", "worse", None)
    ends(rolled, Rollout.State.ROLLED_BACK)
    # The automatic rule does not bring back what was rolled back.
    Deployment.objects.update(automatic=True)
    deployments_consider()
    assert Deployment.objects.get().champion == service.version


def test_a_unit_keeps_its_arm_and_an_image_without_one_too(service: Service) -> None:
    rolled = rollout(service, "ab", trained.version(service.project, seed=1))
    image = next(images(1))[0]
    assert len({rolled.ask(image)["arm"] for _ in range(3)}) == 1
    units = {f"user-{n}": rolled.ask(image, **{"X-Unit-Key": f"user-{n}"})["arm"] for n in range(16)}
    assert set(units.values()) == {"champion", "challenger"}
    began = rolled.row.phase_since
    rolled.act("pause")
    assert rolled.ask(image)["arm"] == "champion"
    assert not rolled.ask(image).get("model")
    rolled.act("resume")
    paused, resumed = Decision.objects.filter(rollout=rolled.pk, action__in=["pause", "resume"]).order_by(
        "id"
    )
    assert began is not None
    # The time that it was paused holds no step.
    away = (rolled.row.phase_since or began) - began
    assert abs(away - (resumed.created_at - paused.created_at)).total_seconds() < 0.1
    assert away.total_seconds() > 0
    for unit, arm in units.items():
        path = f"{service.predict_path}?unit={unit}"
        answer = service.client.post(path, image, content_type="image/png").json()
        assert answer["predictions"][0]["arm"] == arm
    stored = Prediction.objects.filter(rollout=rolled.pk, arm="challenger").first()
    assert stored is not None
    assert (stored.propensity, stored.phase, len(stored.unit)) == (0.5, 1, 32)
    assert stored.trace is not None
    assert stored.trace["sure"] > 0.5
    path = f"{service.predict_path}?unit={'x' * 201}"
    assert service.client.post(path, image, content_type="image/png").status_code == 400


def test_a_shadow_answers_nobody_and_is_promoted_when_it_is_better(wrong: Service) -> None:
    better = trained.version(wrong.project, seed=2)
    rolled = rollout(wrong, "shadow", better, min_labels=20)
    labelled(rolled, 24)
    asked = rolled.ask_and_report(24)
    assert {one["arm"] for one in asked} == {"champion"}
    until(lambda: Prediction.objects.filter(status="shadow").count() == 24)
    pair = Prediction.objects.filter(status="shadow").first()
    assert pair is not None
    told = Prediction.objects.get(pk=str(pair.shadow_of))
    assert (pair.digest, pair.request_id, pair.model_version) == (told.digest, told.request_id, better)
    assert pair.top[0]["label"] != told.top[0]["label"]
    decision = rolled.look()
    assert decision is not None
    assert (decision.action, decision.rule) == ("promote", "better")
    assert decision.evidence["evidence"]["only_new"] == decision.evidence["evidence"]["reported"] == 24
    ends(rolled, Rollout.State.PROMOTED)


def labelled(rolled: Rolled, count: int, start: int = 1000) -> None:
    """People have labelled the images before anybody sends them."""
    for image, truth in images(count, start):
        item = factories.item(rolled.service.project, data=image)
        Item.objects.filter(pk=item.pk).update(metadata={"truth": truth})
    answer(rolled, Item.objects.filter(metadata__has_key="truth"))


def test_what_clients_report_of_the_champion_decides_no_shadow(wrong: Service) -> None:
    """Corrections only: the challenger has all of them right, whatever else it has wrong."""
    rolled = rollout(wrong, "shadow", trained.version(wrong.project, seed=2), min_labels=20)
    rolled.ask_and_report(24)
    until(lambda: Prediction.objects.filter(status="shadow").count() == 24)
    decision = rolled.look()
    assert decision is not None
    assert (decision.action, decision.rule) == ("hold", "few-labels")
    evidence = decision.evidence["evidence"]
    assert (evidence["only_new"], evidence["champion_labels"]["n"], evidence["reported"]) == (0, 0, 24)


def test_a_canary_widens_step_by_step_moves_nobody_and_is_promoted(service: Service) -> None:
    rolled = rollout(
        service,
        "canary",
        trained.version(service.project, seed=1),
        steps=[0.3, 0.6],
        hold_seconds=0,
        min_requests=8,
        min_labels=0,
    )
    first = {one["id"]: one["arm"] for one in rolled.ask_and_report(60)}
    assert 5 < sum(arm == "challenger" for arm in first.values()) < 35
    decision = rolled.look()
    assert decision is not None
    assert (decision.action, decision.rule) == ("advance", "step-passed")
    gathered = decision.evidence["evidence"]
    for arm in ("champion", "challenger"):
        in_blocks = sum(block[arm]["requests"] for block in gathered["blocks"])
        assert in_blocks == gathered[arm]["requests"] > 0
    rolled.loaded()
    before = dict(Prediction.objects.filter(rollout=rolled.pk).values_list("digest", "arm"))
    again = rolled.ask_and_report(60)
    after = dict(Prediction.objects.filter(rollout=rolled.pk, phase=2).values_list("digest", "arm"))
    assert {digest for digest, arm in before.items() if arm == "challenger"} < {
        digest for digest, arm in after.items() if arm == "challenger"
    }
    assert len(again) == len(after) == 60
    decision = rolled.look()
    assert decision is not None
    assert decision.action == "promote"
    labels = decision.evidence["evidence"]["labels"]
    # An image that both steps sent is one label of an arm.
    for arm, step in (("champion", before), ("challenger", after)):
        assert sum(one[f"{arm}_labels"] for one in labels) == list(step.values()).count(arm)
    ends(rolled, Rollout.State.PROMOTED)


def test_a_bandit_gives_the_better_arm_more_and_promotes_it(wrong: Service) -> None:
    better = trained.version(wrong.project, seed=2)
    rolled = rollout(wrong, "bandit", better, min_labels=10, batch_labels=5, alpha=0.0001, by_class=True)
    salt = rolled.row.salt
    rolled.ask_and_report(80, mistaken=3)
    decision = rolled.look()
    assert decision is not None
    assert (decision.action, decision.rule) == ("reweight", "thompson")
    row = rolled.row
    assert row.phase == 2
    assert row.salt != salt
    assert decision.evidence["phase"] == 2
    assert decision.evidence["salt"] == {"before": salt, "after": row.salt}
    # The champion is asked first: its guess says by which shares an image goes.
    assert row.progress["weights"].keys() & {"dark", "light"}
    assert row.progress["weights"][""]["challenger"] > 0.9
    rolled.loaded()
    assert rolled.live.by_context
    asked = rolled.ask_and_report(30, start=3000)
    assert sum(one["arm"] == "challenger" for one in asked) > 20
    assert Prediction.objects.filter(rollout=rolled.pk, phase=2, propensity__gt=0.9).exists()
    assert [one.same for one in decisions_replay() if one.decision == decision] == [True]


@pytest.mark.parametrize("by_class", [True, False])
def test_arms_of_different_features_can_be_dealt_by_class(
    service: Service, monkeypatch: pytest.MonkeyPatch, by_class: bool
) -> None:
    rolled = rollout(service, "bandit", trained.version(service.project, seed=1), by_class=by_class)
    predictor = rolled.live.arms["challenger"].predictor
    monkeypatch.setattr(
        predictor, "embedder", copy.copy(predictor.embedder)
    )  # another, for all that is known
    rolled.ask_and_report(24, mistaken=4)
    found = evidence_of(rolled.row)
    assert isinstance(found, bandit.Evidence)
    rolled.look()
    page = unescape(
        rolled.manager.get(f"/projects/{service.project.slug}/rollouts/{rolled.pk}/").content.decode()
    )
    if by_class:
        assert {arm for of in found.by_class.values() for arm in of} == {"champion", "challenger"}
        assert sum(one.right + one.wrong for of in found.by_class.values() for one in of.values()) == 24
    for arm in ("champion", "challenger"):
        sums = found.off_policy[arm]
        # The champion's confidence takes noise from both arms' values, where it is known of every image.
        assert (sums.phi != sums.wr) == by_class
    assert ("Doubly robust is the same as inverse propensity here" in page) != by_class


def test_a_person_ends_it_and_the_log_says_who(service: Service) -> None:
    rolled = rollout(service, "ab", trained.version(service.project, seed=1))
    rolled.act("abort")
    assert rolled.row.state == Rollout.State.ROLLED_BACK
    assert rolled.manager.post(f"{rolled.api}/resume").status_code == 409
    assert rolled.manager.post(f"{rolled.api}/explode").status_code == 404
    said = list(Decision.objects.filter(rollout=rolled.pk).order_by("id").values_list("action", "rule"))
    assert said == [("create", "person"), ("start", "person"), ("abort", "person")]
    decisions = rolled.manager.get(rolled.api).json()["decisions"]
    assert decisions[0]["actor"].startswith("user")
    Rollout.objects.filter(pk=rolled.pk).update(mode="luck", state=Rollout.State.RUNNING)
    time.sleep(0.6)
    assert answers_with(service.project, service.version), "a rollout nobody understands harms nobody"
    service.project.delete()
    assert not Rollout.objects.exists()


def test_interleaving_shows_one_list_and_counts_choices_as_votes(wrong: Service) -> None:
    better = trained.version(wrong.project, seed=2)
    rolled = rollout(wrong, "interleaving", better, min_votes=5, alpha=0.2)
    asked = rolled.ask_and_report(44)
    assert {one["arm"] for one in asked} == {"merged"}
    assert {tuple(sorted(label["label"] for label in one["labels"])) for one in asked} == {("dark", "light")}
    stored = Prediction.objects.get(pk=asked[0]["id"])
    assert stored.trace is not None
    # Each model begins with another label, so each label is the pick of one.
    assert sorted(stored.trace["votes"].values()) == ["challenger", "champion"]
    assert stored.trace["votes"].keys() == {label["label"] for label in stored.top}
    decision = rolled.look()
    assert decision is not None
    assert (decision.action, decision.rule) == ("promote", "better")
    evidence = decision.evidence["evidence"]
    assert (evidence["wins_champion"], evidence["wins_challenger"], evidence["ties"]) == (0, 44, 0)
    ends(rolled, Rollout.State.PROMOTED)
