"""How far training may read: an annotation gets its number before it is committed."""

import threading
from uuid import uuid4

import pytest
from django.db import transaction

from labelling.models import Annotation, Item, Label, Project
from labelling.services.annotations import annotation_record, annotations_through
from tests import factories
from tests.labelling.threads import at_once, items_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_training_waits_for_an_annotation_that_is_still_on_its_way() -> None:
    project, other = factories.project(), factories.project()
    ann = factories.member(project)
    written, go_on = threading.Event(), threading.Event()
    ids: dict[str, int] = {}

    def say(project: Project, item: Item) -> int:
        question = project.questions.get()
        label = Label.objects.filter(question=question).first()
        return annotation_record(
            project=project,
            annotator=ann,
            uuid=uuid4(),
            item=item,
            question=question,
            label=label,
            seconds=None,
        ).pk

    def late(item: Item) -> None:
        with transaction.atomic():
            ids["late"] = say(project, item)
            written.set()
            assert go_on.wait(60)

    def read() -> None:
        ids["through"] = annotations_through(project=project)
        ids["seen"] = Annotation.objects.filter(project=project, pk__lte=ids["through"]).count()

    first, second = items_of(project, 2)
    assert annotations_through(project=project) == 0
    slow = threading.Thread(target=lambda: at_once(lambda: late(first)))
    slow.start()
    assert written.wait(60)
    ids["early"] = say(project, second)
    assert ids["early"] > ids["late"]
    assert annotations_through(project=other) == 0, "other projects do not wait"
    reader = threading.Thread(target=lambda: at_once(read))
    reader.start()
    reader.join(0.5)
    assert reader.is_alive(), "the smaller id is not committed yet"
    go_on.set()
    reader.join(60)
    slow.join(60)
    assert ids["through"] == ids["early"]
    assert ids["seen"] == 2
