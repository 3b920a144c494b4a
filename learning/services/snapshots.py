"""The labels one training reads, fixed at one moment and named by a digest."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelling.models import Item, Label, Question
from labelling.selectors import labelled
from learning.services.artifacts import canonical_json


@dataclass(frozen=True)
class Split:
    """Labelled items of the pool or of the hold-out: rows of the embeddings, and which class each has."""

    rows: NDArray[np.int64]  # (n,)
    labels: NDArray[np.int64]  # (n,), positions in the snapshot's classes


@dataclass(frozen=True)
class Snapshot:
    classes: list[Label]
    pool: Split
    holdout: Split
    content: bytes  # canonical JSON; `digest` is its SHA-256
    digest: str

    @property
    def trainable(self) -> bool:
        return len(np.unique(self.pool.labels)) >= 2


def rows_of(item_ids: NDArray[np.int64], embedded: NDArray[np.int64]) -> NDArray[np.int64]:
    """Row of each item in the embeddings' ascending ids; -1 for an item that is not embedded (yet)."""
    if not len(embedded):
        return np.full(len(item_ids), -1, np.int64)
    places = np.minimum(np.searchsorted(embedded, item_ids), len(embedded) - 1)
    return np.where(embedded[places] == item_ids, places, -1).astype(np.int64)


def snapshot_take(*, question: Question, embedded: NDArray[np.int64]) -> Snapshot:
    """The question's labels as they stand, of the items whose ids are in `embedded`, ascending."""
    classes = list(question.labels.all())
    position = {label.pk: index for index, label in enumerate(classes)}
    found = labelled(question)  # (item, label, split), by item
    rows = rows_of(np.array([item for item, _, _ in found], np.int64), embedded)
    known = [(*entry, int(row)) for entry, row in zip(found, rows, strict=True) if row >= 0]
    digests = dict(Item.objects.filter(pk__in=[item for item, *_ in known]).values_list("pk", "digest"))
    content = canonical_json(
        {
            "classes": [{"id": label.pk, "name": label.name} for label in classes],
            # An item that was deleted between the two queries has no digest, and no label either.
            "labels": [[digests[item], label, split] for item, label, split, _ in known if item in digests],
        }
    )

    def split_of(wanted: str) -> Split:
        chosen = [(row, position[label]) for item, label, split, row in known if split == wanted]
        return Split(
            np.array([row for row, _ in chosen], np.int64), np.array([label for _, label in chosen], np.int64)
        )

    return Snapshot(
        classes,
        split_of(Item.Split.POOL),
        split_of(Item.Split.HOLDOUT),
        content,
        hashlib.sha256(content).hexdigest(),
    )
