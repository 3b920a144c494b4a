from uuid import UUID, uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection

from labelling.models import Annotation, Consensus, Item, Label, Lease, Project, QueueEntry, User
from labelling.selectors import label_counts, labelled, latest_annotation_id, open_pool_ids
from labelling.services.annotations import annotation_record, annotation_undo
from labelling.services.leases import lease_items
from labelling.services.queue import RankedItem, queue_swap
from tests import factories

pytestmark = pytest.mark.django_db


def label_named(project: Project, name: str) -> Label:
    return Label.objects.get(question__project=project, name=name)


def say(project: Project, who: User, item: Item, name: str | None, uuid: UUID | None = None) -> Annotation:
    return annotation_record(
        project=project,
        annotator=who,
        uuid=uuid or uuid4(),
        item=item,
        question=project.questions.get(),
        label=label_named(project, name) if name else None,
        seconds=0.5,
    )


def undo(project: Project, who: User, annotation: Annotation, uuid: UUID | None = None) -> Annotation:
    return annotation_undo(project=project, annotator=who, uuid=uuid or uuid4(), undoes=annotation.uuid)


def test_an_answer_gives_a_consensus_closes_the_item_and_frees_its_lease_and_rank() -> None:
    project = factories.project(holdout_queue_share=0.0)
    ann = factories.member(project)
    item, cat = factories.item(project), label_named(project, "cat")
    queue_swap(
        project=project,
        entries=[RankedItem(item.pk, 0.9, cat.pk, 0.7)],
        round_number=4,
        strategy="margin",
        reason="",
        model_digest="",
        through_annotation=0,
    )
    lease_items(project=project, annotator=ann, count=1)
    annotation = say(project, ann, item, "dog")
    assert (annotation.source, annotation.round_number, annotation.suggestion) == ("ranked", 4, cat)
    item.refresh_from_db()
    assert (item.open, item.answers) == (False, 1)
    assert not Lease.objects.exists()
    assert not QueueEntry.objects.exists()
    dog = label_named(project, "dog")
    assert labelled(project.questions.get()) == [(item.pk, dog.pk, "pool")]
    assert latest_annotation_id(project) == annotation.pk
    assert open_pool_ids(project) == []
    counts = label_counts(project)
    assert (counts.pool, counts.holdout, counts.items) == (1, 0, 1)
    assert counts.per_label == [("cat", 0), ("dog", 1)]


def test_a_repeated_uuid_is_stored_once_whatever_it_says_the_second_time() -> None:
    project = factories.project()
    ann, item, uuid = factories.member(project), factories.item(project), uuid4()
    first = say(project, ann, item, "cat", uuid)
    assert say(project, ann, item, "cat", uuid) == first
    assert say(project, ann, factories.item(project), "dog", uuid) == first
    assert Annotation.objects.count() == 1


def test_a_uuid_of_someone_else_is_refused() -> None:
    project = factories.project()
    item, uuid = factories.item(project), uuid4()
    say(project, factories.member(project), item, "cat", uuid)
    with pytest.raises(ValidationError, match="used by someone else"):
        say(project, factories.member(project), item, "dog", uuid)


def test_an_answer_after_the_lease_has_run_out_and_another_person_has_answered_is_still_stored() -> None:
    project = factories.project()
    ann, ben = factories.member(project), factories.member(project)
    item = factories.item(project)
    say(project, ben, item, "cat")
    say(project, ann, item, "dog")
    consensus = Consensus.objects.get()
    assert (consensus.label.name, consensus.answers, consensus.agreement) == ("cat", 2, 0.5)


def test_a_second_answer_of_the_same_person_supersedes_the_first() -> None:
    project = factories.project()
    ann, item = factories.member(project), factories.item(project)
    first = say(project, ann, item, "cat")
    second = say(project, ann, item, "dog")
    assert second.supersedes == first
    assert Consensus.objects.get().label.name == "dog"
    item.refresh_from_db()
    assert item.answers == 1


def test_a_skipped_item_stays_open_for_others_and_does_not_come_back() -> None:
    project = factories.project()
    ann, ben = factories.member(project), factories.member(project)
    item = factories.item(project)
    lease_items(project=project, annotator=ann, count=1)
    say(project, ann, item, None)
    assert lease_items(project=project, annotator=ann, count=1) == []
    assert [one.item_id for one in lease_items(project=project, annotator=ben, count=1)] == [item.pk]


def test_an_undo_restores_everything_and_gives_the_item_back() -> None:
    project = factories.project(holdout_queue_share=1.0)
    ann, ben = factories.member(project), factories.member(project)
    item = factories.item(project, split=Item.Split.HOLDOUT)
    lease_items(project=project, annotator=ann, count=1)
    annotation, uuid = say(project, ann, item, "dog"), uuid4()
    taken_back = undo(project, ann, annotation, uuid)
    assert undo(project, ann, annotation, uuid) == taken_back
    item.refresh_from_db()
    assert (item.open, item.answers, Consensus.objects.count()) == (True, 0, 0)
    lease = Lease.objects.get()
    assert (lease.annotator, lease.source) == (ann, "holdout")
    assert lease_items(project=project, annotator=ben, count=1) == []
    assert say(project, ann, item, "cat").source == "holdout"
    assert Consensus.objects.get().label.name == "cat"
    with pytest.raises(ValidationError, match="does not stand"):
        undo(project, ann, annotation)


def test_nobody_undoes_what_another_person_said() -> None:
    project = factories.project()
    ann, ben = factories.member(project), factories.member(project)
    annotation = say(project, ann, factories.item(project), "dog")
    with pytest.raises(Annotation.DoesNotExist):
        undo(project, ben, annotation)


def test_parts_of_another_project_are_refused_in_a_sentence() -> None:
    project, other = factories.project(), factories.project()
    ann = factories.member(project)
    with pytest.raises(ValidationError, match="is not part of the project"):
        say(project, ann, factories.item(other), "cat")
    item = factories.item(project)
    with pytest.raises(ValidationError, match="is not an answer to the question"):
        annotation_record(
            project=project,
            annotator=ann,
            uuid=uuid4(),
            item=item,
            question=project.questions.get(),
            label=label_named(other, "cat"),
            seconds=None,
        )


def test_an_item_with_two_questions_is_done_when_both_are_answered() -> None:
    project = factories.project(holdout_queue_share=0.0)
    colour = project.questions.create(key="colour", prompt="Which colour?", position=1)
    grey = Label.objects.create(question=colour, name="grey")
    ann, item = factories.member(project), factories.item(project)
    lease_items(project=project, annotator=ann, count=1)
    annotation_record(
        project=project, annotator=ann, uuid=uuid4(), item=item, question=colour, label=grey, seconds=1.0
    )
    item.refresh_from_db()
    assert (item.open, item.answers, Lease.objects.count()) == (True, 0, 1)
    annotation_record(
        project=project,
        annotator=ann,
        uuid=uuid4(),
        item=item,
        question=project.questions.get(key="label"),
        label=label_named(project, "cat"),
        seconds=1.0,
    )
    item.refresh_from_db()
    assert (item.open, item.answers, Lease.objects.count()) == (False, 1, 0)


def test_an_annotation_that_fails_half_way_leaves_nothing_behind() -> None:
    project = factories.project()
    ann, item = factories.member(project), factories.item(project)
    with connection.cursor() as cursor:
        # The consensus is written after the annotation.
        cursor.execute("alter table labelling_consensus add constraint no_more check (answers = 0)")
    with pytest.raises(IntegrityError):
        say(project, ann, item, "cat")
    assert not Annotation.objects.exists()
    item.refresh_from_db()
    assert item.open
