"""The labels of other tests are written in few statements: what is stored is what people would leave."""

from collections.abc import Callable

import pytest

from labelling.models import Annotation, Consensus, Item, Project, Question, Queue, QueueEntry, User, Wanted
from tests import factories
from tests.learning.digits import DIGITS, Said, all_recorded, each_recorded

pytestmark = pytest.mark.django_db
OWN = {"id", "uuid", "project", "item", "question", "annotator", "label", "created_at", "updated_at"}


def left_by(record: Callable[[Project, User, Question, Said], None]) -> list[object]:
    """Every field of all that follows from four answers, with names for what has numbers of its own."""
    project = factories.project(labels=DIGITS)
    question, queue = project.questions.get(), Queue.objects.get(project=project)
    splits = (Item.Split.POOL, Item.Split.POOL, Item.Split.HOLDOUT, Item.Split.POOL)
    items = [factories.item(project, split) for split in splits]
    for place, item in enumerate(items):
        QueueEntry.objects.create(
            project=project, item=item, generation=queue.generation, rank=place, score=0.0
        )
        Wanted.objects.create(project=project, item=item, kind=Wanted.Kind.AUDIT, reason="x")
    labels = {label.name: label for label in question.labels.all()}
    record(
        project,
        factories.member(project),
        question,
        [(item, labels[name]) for item, name in zip(items, "313", strict=False)],
    )
    found: list[object] = []
    for model in (Annotation, Consensus):
        for row in model.objects.filter(project=project).order_by("item"):
            plain = {f.name: f.value_from_object(row) for f in model._meta.fields if f.name not in OWN}
            assert row.question == question
            found.append((model.__name__, items.index(row.item), str(row.label), plain))
    for item in items:
        item.refresh_from_db()
        waiting = (QueueEntry.objects.filter(item=item).count(), Wanted.objects.filter(item=item).count())
        found.append((item.answers, item.open, waiting))
    return found


def test_labels_written_at_once_leave_what_labels_one_by_one_do() -> None:
    assert left_by(all_recorded) == left_by(each_recorded)
