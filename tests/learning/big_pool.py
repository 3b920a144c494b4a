"""A project of any size whose embeddings were drawn, not computed: its images all look alike."""

import io

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from labelling.models import Item, Label, Project, Question, Queue
from learning.models import EmbeddingShard, Learner
from learning.services.artifacts import artifact_name, artifact_put
from learning.services.learners import learners_ensure
from learning.services.shards import SHARD_ITEMS
from tests import factories

CLASSES = 10
HOLDOUT_EVERY = 10
NOISE = 1.5
COPY = """
    copy labelling_item (project_id, digest, split, path, name, size, random_rank,
                         format, width, height, metadata, open, answers, created_at) from stdin
"""
SAME = ("PNG", 16, 16, "{}", True, 0, "now")


def big_project(
    slug: str, count: int, width: int, shard: int = SHARD_ITEMS
) -> tuple[Project, dict[int, str]]:
    """The project and the true label of each item; the same `count` and `width` (features) draw the same."""
    project = Project.objects.create(slug=slug, name=slug, holdout_share=1 / HOLDOUT_EVERY)
    question = Question.objects.create(project=project, key="label", prompt="Which one is it?")
    names = [str(label) for label in range(CLASSES)]
    Label.objects.bulk_create(Label(question=question, name=n, position=i) for i, n in enumerate(names))
    Queue.objects.create(project=project)
    image = factories.png(0)
    path = default_storage.save(f"projects/{project.pk}/items/one.png", ContentFile(image))
    rng = np.random.default_rng(count)
    truth = rng.integers(0, CLASSES, count)
    # By COPY: as objects so many take ten seconds.
    with connection.cursor() as cursor, cursor.copy(COPY) as copy:
        for number, rank in enumerate(rng.permutation(count).tolist()):
            split = Item.Split.POOL if number % HOLDOUT_EVERY else Item.Split.HOLDOUT
            mine = (project.pk, f"{number:064x}", split.value, path, f"{number}.png", len(image), rank)
            copy.write_row((*mine, *SAME))
    ids = list(Item.objects.filter(project=project).order_by("id").values_list("pk", flat=True))
    learners_ensure()
    backbone = project.learners.get().backbone
    centres = rng.standard_normal((CLASSES, width), dtype=np.float32)
    noise = NOISE * rng.standard_normal((min(shard, count), width), dtype=np.float32)
    for number, start in enumerate(range(0, count, shard)):
        part = slice(start, start + shard)
        labels = truth[part]
        # Drawn once; in each shard other features have the other sign.
        matrix = centres[labels] + noise[: len(labels)] * rng.choice(np.array([-1, 1], np.float32), width)
        out = io.BytesIO()
        np.save(out, matrix.astype(np.float16), allow_pickle=False)
        digest = artifact_put(data=out.getvalue(), suffix=".npy")
        EmbeddingShard.objects.create(
            project=project,
            backbone=backbone,
            number=number,
            item_ids=ids[part],
            first_item=ids[part][0],
            last_item=ids[part][-1],
            path=artifact_name(digest=digest, suffix=".npy"),
            digest=digest,
            progress=len(labels),
        )
    # As the last embedded shard does: the pool wants a ranking.
    Learner.objects.filter(project=project).update(requested_at=timezone.now())
    return project, dict(zip(ids, [names[label] for label in truth], strict=True))
