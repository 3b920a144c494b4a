"""Labels that people give count where they came about without regard to the arms, and only there."""

import numpy as np
import pytest
from numpy.typing import NDArray

from labelling.models import Annotation, Item, Label, Lease, Wanted
from labelling.services.leases import lease_items
from labelling.services.questions import question_add
from labelling.services.queue import RankedItem, queue_swap
from labelling.services.wanted import items_want
from learning.models import TrainingRun
from serving.core.modes import mode_named
from serving.core.modes.ab import Config
from serving.core.records import to_json
from serving.models import Decision, Prediction
from serving.selectors.evidence import evidence_of
from serving.services.champions import champions
from serving.services.production import (
    MOST_WAITING,
    places_left,
)
from serving.services.traffic import traffic_policy_set
from tests import factories
from tests.labelling.answering import answer_all
from tests.serving import trained
from tests.serving.conftest import Service, until
from tests.serving.rolled import Rolled, answer, images, items_sent, production_look_now, rollout


def judged(rolled: Rolled) -> int:
    """How many images the accuracies rest on."""
    evidence = evidence_of(rolled.row)
    measured = evidence.metrics["accuracy"]  # type: ignore[attr-defined]  # an A/B test's
    return int(measured.champion.n + measured.challenger.n)


def test_what_is_drawn_from_live_traffic_is_asked_blind_and_counts(service: Service) -> None:
    project = service.project
    rolled = rollout(service, "ab", trained.version(project, seed=1), audit_share=0.5)
    for image, truth in images(40):
        item = factories.item(project, data=image)
        Item.objects.filter(pk=item.pk).update(metadata={"truth": truth})
        rolled.ask(image)
    production_look_now()
    production_look_now()
    drawn = set(Prediction.objects.filter(audited=True).values_list("digest", flat=True))
    wanted = Item.objects.filter(project=project, wanted__kind=Wanted.Kind.AUDIT)
    assert {item.digest for item in wanted} == drawn
    assert 8 < len(drawn) < 32

    # The ranking has them all, with suggestions; who is asked about the drawn ones sees none.
    dark = Label.objects.get(question__project=project, name="dark")
    ranked = [RankedItem(item.pk, 1.0, dark.pk, 0.9) for item in Item.objects.filter(project=project)]
    queue_swap(
        project=project,
        entries=ranked,
        round_number=1,
        strategy="margin",
        reason="because",
        model_digest="",
        through_annotation=0,
    )
    leases = lease_items(project=project, annotator=factories.member(project), count=40)
    audits = [one for one in leases if one.source == Lease.Source.AUDIT]
    assert 0 < len(audits) <= 20
    assert {one.item.digest for one in leases if one.suggestion_id} & drawn == set()
    assert all(one.suggestion_id is None for one in audits)

    assert judged(rolled) == 0
    answer(rolled, wanted)
    assert not Wanted.objects.exists(), "answered"
    assert judged(rolled) == len(drawn)
    # What was not drawn is no sample of the traffic, and what an arm has learned from it knows by heart.
    answer(rolled, Item.objects.filter(project=project).exclude(digest__in=drawn))
    assert judged(rolled) == len(drawn)
    newest = Annotation.objects.order_by("-id").values_list("id", flat=True)[0]
    TrainingRun.objects.filter(project=project).update(through_annotation=newest)
    assert judged(rolled) == 0
    Item.objects.filter(project=project, digest__in=drawn).update(split=Item.Split.HOLDOUT)
    assert judged(rolled) == len(drawn)


def test_what_a_model_is_unsure_of_is_drawn_more_often_and_weighed_less(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.core.inclusion.unsure_below", lambda classes: 2.0)
    project = service.project
    rolled = rollout(service, "ab", trained.version(project, seed=1), audit_share=0.2)
    for image, truth in images(60):
        item = factories.item(project, data=image)
        Item.objects.filter(pk=item.pk).update(metadata={"truth": truth})
        rolled.ask(image)
    made = Prediction.objects.filter(rollout=rolled.pk)
    assert all(one.inclusion in (None, pytest.approx(0.6)) for one in made)
    assert not made.filter(audited=True, inclusion=None).exists()
    assert made.filter(audited=False).exclude(inclusion=None).exists()
    production_look_now()
    wanted = Wanted.objects.select_related("item")
    chances = {one.digest: one.inclusion for one in made.exclude(inclusion=None)}
    assert {one.item.digest: one.inclusion for one in wanted} == chances
    answer(rolled, [one.item for one in wanted])
    by_arm = to_json(evidence_of(rolled.row))["weighted"].values()
    assert sum(one["n"] for one in by_arm) == len(chances)
    assert sum(one["w"] for one in by_arm) == pytest.approx(len(chances) / 0.6)
    # What decides still counts the evenly drawn only.
    assert judged(rolled) == made.filter(audited=True).count()
    verdict = mode_named("ab").decide(Config(), evidence_of(rolled.row))
    assert "weighted" in {one.name for one in verdict.figures}


def test_the_audited_share_is_changed_while_it_runs_and_each_label_keeps_its_weight(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.core.inclusion.unsure_below", lambda classes: 0.0)
    rolled = rollout(service, "ab", trained.version(service.project, seed=1), audit_share=0.2)
    before = rolled.row
    sent = items_sent(rolled, 60)
    changed = rolled.manager.patch(rolled.api, {"audit_share": 0.6}, "application/json")
    assert (changed.status_code, changed.json()["audit_share"]) == (200, 0.6)
    # Nothing is loaded for it, and nobody is dealt anew.
    until(lambda: rolled.live.plan.audit_share == 0.6)
    assert (rolled.row.phase, rolled.row.salt) == (before.phase, before.salt)
    for image in sent[:30]:
        rolled.ask(image)
    answer(rolled, Item.objects.filter(metadata__has_key="truth"))
    chances = Prediction.objects.filter(rollout=rolled.pk, audited=True)
    assert set(chances.values_list("inclusion", flat=True)) == {0.2, 0.6}
    widest: dict[str, float] = {}
    for one in chances:
        widest[one.digest] = max(widest.get(one.digest, 0.0), one.inclusion or 0.0)
    sums = to_json(evidence_of(rolled.row))["weighted"].values()
    assert sum(one["n"] for one in sums) == len(widest)
    assert sum(one["w"] for one in sums) == pytest.approx(sum(1 / chance for chance in widest.values()))

    page = f"/projects/{service.project.slug}/rollouts/{rolled.pk}"
    assert rolled.manager.post(f"{page}/audit", {"audit_share": "120"}).status_code == 422
    assert rolled.manager.post(f"{page}/audit", {"audit_share": "60"}).status_code == 302
    assert rolled.manager.post(f"{page}/audit", {"audit_share": "5"}).status_code == 302
    assert "from 60% to 5%" in rolled.manager.get(f"{page}/").content.decode()
    rolled.act("abort")
    assert rolled.manager.patch(rolled.api, {"audit_share": 1}, "application/json").status_code == 409
    said = Decision.objects.filter(rollout=rolled.pk, action="audit").order_by("id")
    assert [one.evidence["audit_share"]["after"] for one in said] == [0.6, 0.05]
    assert all(one.actor is not None for one in said)


@pytest.mark.parametrize("source", ["traffic", "ranked", "audit", ""])
def test_a_label_that_a_model_chose_counts_only_for_answers_that_were_drawn(
    service: Service, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setattr("serving.core.inclusion.unsure_below", lambda classes: 0.0)
    rolled = rollout(service, "ab", trained.version(service.project, seed=1), audit_share=0.4)
    sent = items_sent(rolled, 30)
    drawn = Prediction.objects.filter(audited=True).values("digest").distinct().count()
    assert 0 < drawn < 30
    answer(rolled, Item.objects.filter(metadata__has_key="truth"), source)
    assert judged(rolled) == drawn
    for image in sent:
        rolled.ask(image)
    # What nobody's model picked was there before: all of it counts.
    assert judged(rolled) == (drawn if source else 30)
    sums = to_json(evidence_of(rolled.row))["weighted"].values()
    assert sum(one["w"] for one in sums) == pytest.approx(drawn / 0.4 if source else 30)


def test_with_two_classes_a_model_can_be_unsure_too(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def doubtful(features: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.tile(np.array([0.3, 0.7], np.float32), (len(features), 1))

    monkeypatch.setattr(champions.get(service.project.pk)[0].model.predictor, "predict_features", doubtful)
    sent = [image for image, _ in images(3)]
    items = [factories.item(service.project, data=image) for image in sent[:2]]
    for image in sent[:2]:
        service.client.post(service.predict_path, image, content_type="image/png")
    production_look_now()
    assert {one.item for one in Wanted.objects.filter(kind=Wanted.Kind.TRAFFIC)} == set(items)
    # The one that the project lacks is kept for the same reason.
    traffic_policy_set(project=service.project, keep_images=True)
    until(lambda: champions.get(service.project.pk)[0].keep_images)
    service.client.post(service.predict_path, sent[2], content_type="image/png")
    until(lambda: Wanted.objects.count() == 3)
    # In a rollout it is drawn, with the same chance whichever arm answers, and that chance is kept.
    rolled = rollout(service, "ab", trained.version(service.project, seed=1), audit_share=0.2)
    for model in rolled.live.arms.values():
        monkeypatch.setattr(model.predictor, "predict_features", doubtful)
    for image, _ in images(20, start=100):
        rolled.ask(image)
    chances = Prediction.objects.filter(rollout=rolled.pk).exclude(inclusion=None)
    assert chances.filter(audited=False).exists()
    assert all(one.inclusion == pytest.approx(0.6) for one in chances)


def test_a_label_carries_the_chance_of_its_draw(service: Service) -> None:
    project = service.project
    items = [factories.item(project) for _ in range(3)]
    held_out = factories.item(project, split=Item.Split.HOLDOUT)
    drawn = {items[0].digest: 0.25}
    items_want(project=project, digests=list(drawn), kind="audit", reason="", inclusion=drawn)
    queue_swap(
        project=project,
        entries=[RankedItem(items[1].pk, 1.0, inclusion=0.5), RankedItem(items[2].pk, 0.5)],
        round_number=1,
        strategy="random",
        reason="",
        model_digest="",
        through_annotation=0,
    )
    person, question = factories.member(project), project.questions.get()
    answer_all(project, person, lambda item: question.labels.first())
    said = {one.item_id: one for one in Annotation.objects.all()}
    expected = {items[0].pk: 0.25, items[1].pk: 0.5, items[2].pk: None, held_out.pk: project.holdout_share}
    assert said.keys() == expected.keys()
    for pk, one in said.items():
        assert one.inclusion == (None if one.source == Lease.Source.RANDOM else expected[pk])


@pytest.mark.django_db
def test_what_is_drawn_takes_no_place_from_what_is_picked() -> None:
    project = factories.project()
    for inclusion in (0.3, 0.3, None):
        item = factories.item(project)
        items_want(
            project=project,
            digests=[item.digest],
            kind=Wanted.Kind.TRAFFIC,
            reason="",
            inclusion={} if inclusion is None else {item.digest: inclusion},
        )
    assert places_left(project) == MOST_WAITING - 1


def test_an_image_answered_before_a_question_came_is_asked_for_it(service: Service) -> None:
    project = service.project
    first, item = project.questions.get(), factories.item(project)
    answer_all(project, factories.member(project), lambda one: first.labels.first())
    second = question_add(project=project, prompt="Which mood?", labels=["sad", "glad"])
    new = [
        items_want(project=project, digests=[item.digest], kind="audit", reason="", question=one)
        for one in (first, None, second)
    ]
    assert new == [0, 0, 1]
