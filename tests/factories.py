"""Small real things for tests: users, projects with items whose images really lie in storage."""

import hashlib
import io
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from labelling.models import Item, Label, Membership, Project, Question, Queue, User

_count = itertools.count(1)


def user(name: str = "", password: str = "correct horse battery", **options: Any) -> User:
    return User.objects.create_user(name or f"user{next(_count)}", password=password, **options)


def project(labels: tuple[str, ...] = ("cat", "dog"), **options: object) -> Project:
    number = next(_count)
    made = Project.objects.create(slug=f"project-{number}", name=f"Project {number}", **options)
    question(made, "label", "What is it?", labels)
    Queue.objects.create(project=made)
    return made


def question(project: Project, key: str, prompt: str, labels: tuple[str, ...]) -> Question:
    position = project.questions.count()
    made = Question.objects.create(project=project, key=key, prompt=prompt, position=position)
    Label.objects.bulk_create(Label(question=made, name=n, position=i) for i, n in enumerate(labels))
    return made


def member(project: Project, role: str = Membership.Role.ANNOTATOR) -> User:
    made = user()
    Membership.objects.create(project=project, user=made, role=role)
    return made


def png(seed: int, size: int = 16) -> bytes:
    """A small noise image; other seeds give other bytes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def item(project: Project, split: str = Item.Split.POOL, data: bytes | None = None) -> Item:
    (made,) = items(project, [(split, data)])
    return made


def items(project: Project, wanted: Sequence[tuple[str, bytes | None]]) -> list[Item]:
    """One of each split and content. Together, for one at a time hundreds take a second of a processor."""
    return Item.objects.bulk_create([_stored(project, split, data) for split, data in wanted])


def _stored(project: Project, split: str, data: bytes | None) -> Item:
    """The item of an image that lies in storage, not yet in the database."""
    number = next(_count)
    data = data or png(number)
    digest = hashlib.sha256(data).hexdigest()
    path = f"projects/{project.pk}/items/{digest[:2]}/{digest}.png"
    default_storage.save(path, ContentFile(data))
    return Item(
        project=project,
        digest=digest,
        split=split,
        path=path,
        name=f"{number}.png",
        format="PNG",
        width=16,
        height=16,
        size=len(data),
        random_rank=number,
    )
