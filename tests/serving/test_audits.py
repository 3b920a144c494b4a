"""Labels that people give count where they came about without regard to the arms, and only there."""

import uuid
from collections.abc import Iterable

import pytest

from labelling.models import Annotation, Item, Label, Lease, Queue, Wanted
from labelling.services.annotations import annotation_record
from labelling.services.leases import lease_items
from labelling.services.queue import RankedItem, queue_swap
from learning.models import TrainingRun
from serving.models import Deployment, Prediction
from serving.selectors.evidence import evidence_of
from serving.services.afterwards import afterwards
from serving.services.champions import champions
from serving.services.production import MOST_WAITING, production_look
from serving.services.traffic import traffic_policy_set
from tests import factories
from tests.serving import trained
from tests.serving.conftest import Service, until
from tests.serving.rolled import Rolled, images, rollout


def answer(rolled: Rolled, items: Iterable[Item]) -> None:
    """Somebody labels them, rightly, as the queue has given them out or not."""
    person, question = factories.member(rolled.service.project), rolled.row.question
    for item in items:
        annotation_record(
            project=rolled.service.project,
            annotator=person,
            uuid=uuid.uuid4(),
            item=item,
            question=question,
            label=Label.objects.get(question=question, name=item.metadata["truth"]),
            seconds=1.0,
        )


def production_look_now() -> None:
    Deployment.objects.update(looked_until=None)
    production_look()


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


def test_images_that_the_project_lacks_are_kept_only_if_it_says_so(service: Service) -> None:
    rolled = rollout(service, "ab", trained.version(service.project, seed=1), audit_share=1.0)
    rolled.ask(next(images(1))[0])
    traffic_policy_set(project=service.project, keep_images=True)
    until(lambda: champions.get(service.project.pk)[0].keep_images)
    sent = [image for image, _ in images(4, start=50)]
    for image in sent:
        rolled.ask(image)
    until(lambda: Wanted.objects.count() == 4)
    afterwards.stop()
    kept = Item.objects.filter(project=service.project)
    assert {item.split for item in kept} == {Item.Split.POOL}
    assert kept.count() == 4
    assert Queue.objects.get(project=service.project).generation == 0


def test_what_models_disagree_on_is_asked_and_kept_and_never_floods_the_queue(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = service.project
    wrong = trained.version(project, seed=1, taught=(1, 0))
    rolled = rollout(service, "shadow", wrong, audit_share=0.0)
    [(image, _), (other, _)] = images(2)
    known = factories.item(project, data=image)
    rolled.ask(image)
    rolled.ask(other)
    until(lambda: Prediction.objects.filter(status="shadow").count() == 2)
    production_look_now()
    assert [(one.item, one.kind) for one in Wanted.objects.all()] == [(known, Wanted.Kind.TRAFFIC)]
    assert "disagree" in Wanted.objects.get().reason

    traffic_policy_set(project=project, keep_images=True)
    until(lambda: champions.get(project.pk)[0].keep_images)
    rolled.ask(other)
    until(lambda: Wanted.objects.count() == 2)
    monkeypatch.setattr("serving.services.production.MOST_WAITING", 2)
    rolled.ask(next(images(1, start=70))[0])
    until(lambda: Prediction.objects.filter(status="shadow").count() == 4)
    assert MOST_WAITING > 2
    assert Wanted.objects.count() == 2
