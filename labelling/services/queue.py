"""Replace a project's ranking in one go."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.db.models.functions import Now

from labelling.models import Project, Queue, QueueEntry


@dataclass(frozen=True)
class RankedItem:
    item_id: int
    score: float
    suggestion_id: int | None = None
    confidence: float | None = None
    # Proposals to further questions: label and confidence by the question's id.
    others: Mapping[int, tuple[int, float]] = field(default_factory=dict)
    inclusion: float | None = None  # the chance with which the ranking took it, where chance did


_COPY = """
copy labelling_queueentry
    (project_id, generation, rank, item_id, score, suggestion_id, confidence, others, inclusion)
from stdin
"""


def queue_swap(
    *,
    project: Project,
    entries: Sequence[RankedItem],
    round_number: int | None,
    strategy: str,
    reason: str,
    model_digest: str,
    through_annotation: int,
    blind_share: float = 0.0,
) -> int:
    """Write `entries`, best first, as a new generation and point the queue at it; return its number.

    The old ranking is served until the new one is complete. Items answered or leased in the meantime are
    passed over when it is served. With this ranking, blind questions are at least `blind_share` of all, in a
    project that asks any.
    """
    with transaction.atomic():
        # Holds up other swaps only: serving reads the pointer without a lock.
        queue = Queue.objects.select_for_update(no_key=True).get(project=project)
        generation = queue.generation + 1
        with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for rank, entry in enumerate(entries):
                copy.write_row(
                    (
                        project.pk,
                        generation,
                        rank,
                        entry.item_id,
                        entry.score,
                        entry.suggestion_id,
                        entry.confidence,
                        json.dumps(dict(entry.others)),
                        entry.inclusion,
                    )
                )
        Queue.objects.filter(pk=queue.pk).update(
            generation=generation,
            round_number=round_number,
            strategy=strategy,
            reason=reason,
            model_digest=model_digest,
            through_annotation=through_annotation,
            blind_share=blind_share,
            swapped_at=Now(),
        )
        # Not in the caller's transaction: until its end, the locks on what is deleted hold up annotations.
        transaction.on_commit(lambda: _clear(project), robust=True)
    return generation


@transaction.atomic
def _clear(project: Project) -> None:
    """Delete the rankings that are not served any more. One that a crash leaves goes with the next swap."""
    current = Queue.objects.select_for_update(no_key=True).get(project=project).generation
    QueueEntry.objects.filter(project=project, generation__lt=current).delete()
