"""A project of real handwritten digits, labelled as a person would label it."""

import io
import uuid
from collections.abc import Sequence
from datetime import timedelta
from functools import cache

import numpy as np
from django.db import transaction
from django.utils import timezone
from PIL import Image
from sklearn.datasets import load_digits

from labelling.models import (
    Annotation,
    Consensus,
    Item,
    Label,
    Project,
    Question,
    QueueEntry,
    User,
    Wanted,
)
from labelling.services.annotations import annotation_record
from learning.models import Learner, TrainingRun
from learning.services.embeddings import shard_embed
from learning.services.learners import learners_ensure
from learning.services.runs import runs_create_due
from learning.services.shards import shards_plan, shards_to_send
from learning.services.work import works_to_send
from tests import factories

DIGITS = tuple("0123456789")
Said = Sequence[tuple[Item, Label]]


@cache
def pngs(count: int) -> list[tuple[bytes, str]]:
    found = load_digits()
    pngs = []
    for image, target in zip(found.images[:count], found.target[:count], strict=True):
        out = io.BytesIO()
        Image.fromarray((image * 15.9375).astype(np.uint8)).resize((32, 32)).save(out, "PNG")
        pngs.append((out.getvalue(), str(target)))
    return pngs


def digits_project(count: int = 120, holdout_every: int = 4) -> tuple[Project, dict[int, str]]:
    """The project, whose items came a minute ago, and the true label of each item."""
    project = factories.project(labels=DIGITS)
    found = pngs(count)
    wanted = [
        (Item.Split.POOL if number % holdout_every else Item.Split.HOLDOUT, data)
        for number, (data, _) in enumerate(found)
    ]
    made = factories.items(project, wanted)
    truth = {item.pk: label for item, (_, label) in zip(made, found, strict=True)}
    Item.objects.filter(project=project).update(created_at=timezone.now() - timedelta(minutes=1))
    return project, truth


def embed_all(method: str = "transfer") -> None:
    """Of every project. Learners that are made here learn by `method`.

    Those of new projects compare methods, a second of a processor or more each time: only tests of what comes
    of that wait for it.
    """
    known = list(Learner.objects.values_list("pk", flat=True))
    learners_ensure()
    Learner.objects.exclude(pk__in=known).update(method=method)
    shards_plan()
    for shard_id in shards_to_send():
        assert shard_embed(shard_id=shard_id)


def label_items(
    project: Project,
    truth: dict[int, str],
    count: int,
    split: str = Item.Split.POOL,
    person: User | None = None,
) -> None:
    """Label the next `count` open items of a split, as a new member or the person given."""
    person = person or factories.member(project)
    question = project.questions.get()
    labels = {label.name: label for label in question.labels.all()}
    items = list(Item.objects.filter(project=project, split=split, open=True).order_by("id")[:count])
    said = [(item, labels[truth[item.pk]]) for item in items]
    if project.overlap == 1 and not Annotation.objects.filter(item__in=items).exists():
        all_recorded(project, person, question, said)
    else:
        each_recorded(project, person, question, said)


def each_recorded(project: Project, person: User, question: Question, said: Said) -> None:
    for item, label in said:
        annotation_record(
            project=project,
            annotator=person,
            uuid=uuid.uuid4(),
            item=item,
            question=question,
            label=label,
            seconds=1.0,
        )


@transaction.atomic
def all_recorded(project: Project, person: User, question: Question, said: Said) -> None:
    """What `each_recorded` leaves of first answers that close their items, as test_digits.py holds it to.

    In few statements: the labels of all tests, one at a time, are minutes of a processor's time.
    """
    Annotation.objects.bulk_create(
        Annotation(
            uuid=uuid.uuid4(),
            project=project,
            item=item,
            question=question,
            annotator=person,
            kind=Annotation.Kind.ANSWER,
            label=label,
            seconds=1.0,
        )
        for item, label in said
    )
    Consensus.objects.bulk_create(
        Consensus(project=project, item=item, question=question, label=label, answers=1, agreement=1.0)
        for item, label in said
    )
    items = Item.objects.filter(pk__in=[item.pk for item, _ in said])
    items.update(answers=1, open=False)
    Wanted.objects.filter(item__in=items).delete()
    QueueEntry.objects.filter(item__in=items.filter(split=Item.Split.POOL)).delete()


def due_run() -> TrainingRun:
    """The one run the next tick makes and sends."""
    runs_create_due()
    (run_id,) = works_to_send(TrainingRun)
    return TrainingRun.objects.get(pk=run_id)


def learner_of(project: Project) -> Learner:
    return Learner.objects.get(project=project)
