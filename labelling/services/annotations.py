"""Store what people say.

All that follows from an annotation (consensus, the item's state, the lease) is written in the same
transaction, under the item's row lock, so that it is never seen half done.
"""

from collections import Counter
from datetime import timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Max
from django.db.models.functions import Now

from labelling.core.aggregation import majority
from labelling.models import (
    Annotation,
    Consensus,
    Item,
    Label,
    Lease,
    Project,
    Question,
    QueueEntry,
    Suggestion,
    User,
    Wanted,
)
from labelling.selectors import standing

# The first of an advisory lock's two numbers, the project's id being the second: no other lock may use it.
_ON_THEIR_WAY = 0x51A0


def annotation_record(
    *,
    project: Project,
    annotator: User,
    uuid: UUID,
    item: Item,
    question: Question,
    label: Label | None,
    seconds: float | None,
    source: str = "",
) -> Annotation:
    """Store an answer, or a skip if `label` is None. A repeated `uuid` returns what was stored then.

    `source`: how the item came to be asked, where no lease says it.

    An answer whose lease has run out is stored all the same: nothing a person did is lost.
    Raises ValidationError with one sentence when the parts do not belong together.
    """
    if item.project_id != project.pk:
        raise ValidationError(f"Item {item.pk} is not part of the project '{project.slug}'.")
    if question.project_id != project.pk:
        raise ValidationError(f"Question {question.pk} is not asked in the project '{project.slug}'.")
    if label is not None and label.question_id != question.pk:
        raise ValidationError(f"Label '{label.name}' is not an answer to the question '{question.prompt}'.")
    with transaction.atomic():
        _announce(project)
        item = Item.objects.select_for_update(no_key=True).get(pk=item.pk)
        stored = _stored(uuid, annotator)
        if stored is not None:
            return stored
        previous = standing().filter(item=item, question=question, annotator=annotator).first()
        held = Lease.objects.filter(item=item, annotator=annotator).select_related("suggestion")
        origin = held.order_by("-expires_at").first() or previous
        shown = _shown_list(origin, question)
        annotation = _insert(
            Annotation(
                uuid=uuid,
                project=project,
                item=item,
                question=question,
                annotator=annotator,
                kind=Annotation.Kind.SKIP if label is None else Annotation.Kind.ANSWER,
                label=label,
                supersedes=previous,
                source=source or (origin.source if origin else ""),
                round_number=origin.round_number if origin else None,
                suggestion_id=_suggested(origin, question, shown),
                shown_list=shown,
                inclusion=origin.inclusion if origin else None,
                seconds=seconds,
            )
        )
        done = _item_settle(project, item, question, annotator)
        if done:
            Lease.objects.filter(item=item, annotator=annotator).delete()
    return annotation


def annotation_undo(*, project: Project, annotator: User, uuid: UUID, undoes: UUID) -> Annotation:
    """Take back a standing annotation of one's own, and lease the item to its annotator again.

    Raises Annotation.DoesNotExist if the annotator made no such annotation in the project, ValidationError
    when it does not stand any more.
    """
    found = Annotation.objects.get(uuid=undoes, project=project, annotator=annotator)
    with transaction.atomic():
        _announce(project)
        item = Item.objects.select_for_update(no_key=True).get(pk=found.item_id)
        stored = _stored(uuid, annotator)
        if stored is not None:
            return stored
        target = standing().filter(pk=found.pk).select_related("question").first()
        if target is None:
            raise ValidationError("This answer does not stand any more: it was already undone or replaced.")
        undo = _insert(
            Annotation(
                uuid=uuid,
                project=project,
                item=item,
                question=target.question,
                annotator=annotator,
                kind=Annotation.Kind.UNDO,
                supersedes=target,
                source=target.source,
                round_number=target.round_number,
                suggestion_id=target.suggestion_id,
                shown_list_id=target.shown_list_id,
                inclusion=target.inclusion,
            )
        )
        _item_settle(project, item, target.question, annotator)
        _lease_again(project, item, target)
    return undo


def annotations_through(*, project: Project) -> int:
    """The newest annotation's id, 0 if there is none, once no smaller id is on its way any more.

    An id is given out at the insert but seen only after the commit: of two annotations at once, the larger
    can be seen first. Who went on from the larger would pass over the smaller for ever. So every writer holds
    the project's advisory lock, shared, from before its insert to its commit, and this waits for them.
    Whatever is written later gets a larger id. A selection begun after this sees all that it counts.

    Raises RuntimeError inside a transaction: that would keep the writers out until it ends.
    """
    with transaction.atomic(durable=True):
        annotations_hold(project=project)
        newest = Annotation.objects.filter(project=project).aggregate(newest=Max("id"))["newest"]
    return newest or 0


def annotations_hold(*, project: Project) -> None:
    """No annotation is on its way now, and none is written before the caller's transaction ends.

    Call it before taking any row lock.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, %s)", [_ON_THEIR_WAY, project.pk])


def _announce(project: Project) -> None:
    """Make `annotations_through` wait for this transaction. Before any row lock: none waits in a ring."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock_shared(%s, %s)", [_ON_THEIR_WAY, project.pk])


def _stored(uuid: UUID, annotator: User) -> Annotation | None:
    stored = Annotation.objects.filter(uuid=uuid).first()
    if stored is not None and stored.annotator_id != annotator.pk:
        raise ValidationError(f"The UUID {uuid} is already used by someone else: make a new one.")
    return stored


def _insert(annotation: Annotation) -> Annotation:
    """Insert it, unless the same UUID has just been stored for another item; return what is stored."""
    Annotation.objects.bulk_create([annotation], ignore_conflicts=True)
    stored = _stored(annotation.uuid, annotation.annotator)
    if stored is None:
        raise RuntimeError(f"The annotation {annotation.uuid} was refused by the database.")
    return stored


def _shown_list(origin: Lease | Annotation | None, question: Question) -> Suggestion | None:
    """The list of suggestions to this question that the person saw."""
    if isinstance(origin, Lease):
        return Suggestion.objects.filter(pk=origin.lists.get(str(question.pk)), question=question).first()
    return origin.shown_list if origin else None


def _suggested(origin: Lease | Annotation | None, question: Question, shown: Suggestion | None) -> int | None:
    """The label that was proposed as the answer to this question, of a list the first."""
    if origin is None:
        return None
    if shown is not None:
        there = set(Label.objects.filter(question=question).values_list("pk", flat=True))
        return next((pk for pk in shown.labels if pk in there), None)
    if origin.suggestion is not None and origin.suggestion.question_id == question.pk:
        return origin.suggestion.pk
    proposed = origin.others.get(str(question.pk)) if isinstance(origin, Lease) else None
    if proposed is None:
        return None
    # It may have been deleted since: nothing but the queue pointed at it.
    return Label.objects.filter(pk=proposed[0], question=question).values_list("pk", flat=True).first()


def _item_settle(project: Project, item: Item, question: Question, annotator: User) -> bool:
    """Write what follows from the item's standing annotations; return whether the annotator is done with it.

    The caller holds the item's row lock.
    """
    # The overlap that is in force now: a manager may have changed it since the project was read.
    asked = dict(Question.objects.filter(project=project).values_list("id", "project__overlap"))
    questions, overlap = asked.keys(), asked[question.pk]
    said = list(standing().filter(item=item))
    labels = [one.label_id for one in said if one.question_id == question.pk and one.label_id is not None]
    verdict = majority(labels)
    if verdict is None:
        Consensus.objects.filter(item=item, question=question).delete()
    else:
        Consensus.objects.bulk_create(
            [
                Consensus(
                    project=project,
                    item=item,
                    question=question,
                    label_id=verdict.label,
                    answers=verdict.answers,
                    agreement=verdict.agreement,
                )
            ],
            update_conflicts=True,
            unique_fields=["item", "question"],
            update_fields=["label", "answers", "agreement", "updated_at"],
        )
    given = Counter(one.question_id for one in said if one.kind == Annotation.Kind.ANSWER)
    # Questions that were asked later have fewer answers: the item needs people until each has enough.
    answers = min(given[pk] for pk in questions)
    still_open = answers < overlap
    if (item.answers, item.open) != (answers, still_open):
        Item.objects.filter(pk=item.pk).update(answers=answers, open=still_open)
    if not still_open:
        # So that serving never walks past what is answered, at the head of the ranking or of what is wanted.
        Wanted.objects.filter(item=item).delete()
        if item.split == Item.Split.POOL:
            QueueEntry.objects.filter(item=item).delete()
    mine = {one.question_id for one in said if one.annotator_id == annotator.pk}
    return all(pk in mine or given[pk] >= overlap for pk in questions)


def _lease_again(project: Project, item: Item, target: Annotation) -> None:
    """Give the item back to who undid, in a slot that is free: their answer has just left one.

    None is free when the answer came after its lease had run out and others have taken the item since.
    """
    active = Lease.objects.filter(item=item, expires_at__gt=Now())
    if active.filter(annotator=target.annotator_id).exists():
        return
    standing_answers = Item.objects.values_list("answers", flat=True).get(pk=item.pk)
    held = set(active.values_list("slot", flat=True))
    if standing_answers + len(held) >= project.overlap:
        return
    slot = min(set(range(project.overlap)) - held)
    Lease.objects.filter(item=item, slot=slot).delete()
    Lease.objects.create(
        item=item,
        slot=slot,
        project=project,
        annotator_id=target.annotator_id,
        expires_at=Now() + timedelta(seconds=project.lease_seconds),
        source=target.source or Lease.Source.RANDOM,
        round_number=target.round_number,
        suggestion_id=None if target.shown_list else target.suggestion_id,
        inclusion=target.inclusion,
        lists={str(target.question_id): target.shown_list_id} if target.shown_list else {},
    )
