"""Items and their bytes. The storage keeps an image once a project, under its digest."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.files.storage import default_storage
from django.db import connection, transaction

from labelling.core.draws import is_holdout, random_rank
from labelling.core.images import ImageInfo
from labelling.models import Item, Project

_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}
# The first of the two numbers of an advisory lock; the second is the project.
_LOCK = 0x17E4


@dataclass(frozen=True, slots=True)
class NewItem:
    digest: str
    name: str
    info: ImageInfo
    size: int
    metadata: dict[str, Any] = field(default_factory=dict)


def item_path(*, project: Project, digest: str, image_format: str) -> str:
    return f"projects/{project.pk}/items/{digest[:2]}/{digest}{_SUFFIXES[image_format]}"


def item_bytes(*, item: Item) -> bytes:
    """The file as it came. Raises FileNotFoundError when the storage lost it."""
    with default_storage.open(item.path) as stored:
        return bytes(stored.read())


def items_add(*, project: Project, new: Sequence[NewItem], only_pool: bool = False) -> int:
    """Insert in the given order those the project does not have; return how many those were.

    Their bytes are stored already. The split and the random order are drawn here, by digest. `only_pool`:
    none is held out, so that the hold-out stays what it was drawn from.
    """
    if not new:
        return 0
    seed, share = project.seed, 0.0 if only_pool else project.holdout_share
    columns: list[list[Any]] = [
        [item.digest for item in new],
        [
            Item.Split.HOLDOUT.value if is_holdout(item.digest, seed, share) else Item.Split.POOL.value
            for item in new
        ],
        [item_path(project=project, digest=item.digest, image_format=item.info.format) for item in new],
        [item.name for item in new],
        [item.info.format for item in new],
        [item.info.width for item in new],
        [item.info.height for item in new],
        [item.size for item in new],
        [json.dumps(item.metadata) for item in new],
        [random_rank(item.digest, seed) for item in new],
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        # Two imports that bring the same images in another order would wait for each other's rows for ever.
        cursor.execute("select pg_advisory_xact_lock(%s, %s)", [_LOCK, project.pk])
        cursor.execute(
            """
            insert into labelling_item (project_id, digest, split, path, name, format, width, height, size,
                                        metadata, random_rank, open, answers, created_at)
            select %s, digest, split, path, name, format, width, height, size,
                   metadata, random_rank, true, 0, now()
            from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::int[],
                        %s::int[], %s::jsonb[], %s::int[]) with ordinality
                 as new (digest, split, path, name, format, width, height, size,
                         metadata, random_rank, position)
            order by position
            on conflict (project_id, digest) do nothing
            """,
            [project.pk, *columns],
        )
        return int(cursor.rowcount)
