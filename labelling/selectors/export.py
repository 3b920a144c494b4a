"""What people take away: one row a label, or one row an answer, in the order of the images.

A project of a million labels is read in pieces, so that neither the server nor the database holds all of it.
"""

from collections.abc import Iterator
from typing import Any

from labelling.models import Consensus, Project
from labelling.selectors.labels import standing

Row = dict[str, Any]
PIECE = 2_000  # rows that are in memory at a time


def label_rows(project: Project) -> Iterator[Row]:
    """The label of each image and question that has one, as the models learn it."""
    found = Consensus.objects.filter(project=project).order_by("item_id", "question__position", "id")
    fields = {
        "image": "item__name",
        "sha256": "item__digest",
        "split": "item__split",
        "question": "question__key",
        "label": "label__name",
        "answers": "answers",
        "agreement": "agreement",
        "metadata": "item__metadata",
    }
    for values in found.values_list(*fields.values()).iterator(chunk_size=PIECE):
        yield dict(zip(fields, values, strict=True))


def answer_rows(project: Project) -> Iterator[Row]:
    """Everyone's standing answers and skips; a skip has no label."""
    found = standing().filter(project=project).order_by("item_id", "id")
    fields = {
        "image": "item__name",
        "sha256": "item__digest",
        "split": "item__split",
        "question": "question__key",
        "label": "label__name",
        "annotator": "annotator__username",
        "asked_by": "source",
        "inclusion": "inclusion",
        "suggestion": "suggestion__name",
        "seconds": "seconds",
        "at": "created_at",
    }
    for values in found.values_list(*fields.values()).iterator(chunk_size=PIECE):
        row = dict(zip(fields, values, strict=True))
        yield {**row, "at": row["at"].isoformat()}
