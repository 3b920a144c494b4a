"""A project of real handwritten digits, labelled as a person would label it."""

import io
import uuid
from datetime import timedelta
from functools import cache

import numpy as np
from django.utils import timezone
from PIL import Image
from sklearn.datasets import load_digits

from labelling.models import Item, Project, User
from labelling.services.annotations import annotation_record
from learning.models import Learner, TrainingRun
from learning.services.embeddings import shard_embed
from learning.services.learners import learners_ensure
from learning.services.runs import runs_create_due
from learning.services.shards import shards_plan, shards_to_send
from learning.services.work import works_to_send
from tests import factories

DIGITS = tuple("0123456789")


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
    truth = {}
    for number, (data, label) in enumerate(pngs(count)):
        split = Item.Split.HOLDOUT if number % holdout_every == 0 else Item.Split.POOL
        truth[factories.item(project, split, data).pk] = label
    Item.objects.filter(project=project).update(created_at=timezone.now() - timedelta(minutes=1))
    return project, truth


def embed_all() -> None:
    learners_ensure()
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
    for item in Item.objects.filter(project=project, split=split, open=True).order_by("id")[:count]:
        annotation_record(
            project=project,
            annotator=person,
            uuid=uuid.uuid4(),
            item=item,
            question=question,
            label=labels[truth[item.pk]],
            seconds=1.0,
        )


def due_run() -> TrainingRun:
    """The one run the next tick makes and sends."""
    runs_create_due()
    (run_id,) = works_to_send(TrainingRun)
    return TrainingRun.objects.get(pk=run_id)


def learner_of(project: Project) -> Learner:
    return Learner.objects.get(project=project)
