"""What a method that learns several questions at once reads of the others."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.core.methods import METHODS, TrainingData
from learning.models import Learner
from learning.services.snapshots import Snapshot, snapshot_take


@dataclass(frozen=True)
class OtherAnswers:
    snapshot: Snapshot
    data: TrainingData


def other_answers(
    *,
    learner: Learner,
    ids: NDArray[np.int64],
    take: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    parts: tuple[int, ...],
) -> list[OtherAnswers]:
    """The pool's answers to the project's other questions that have labels of two classes.

    None if the learner's method takes each question by itself. `ids` (N,) are the embedded items, `take`
    gives the embeddings of rows of them, which have these `parts`.
    """
    if METHODS[learner.method].together is None:
        return []
    others = Learner.objects.filter(project=learner.project_id).exclude(pk=learner.pk)
    found = []
    for other in others.select_related("question").order_by("question__position", "question_id"):
        snapshot = snapshot_take(question=other.question, embedded=ids)
        if snapshot.trainable:
            rows = snapshot.pool.rows
            labels, classes = snapshot.pool.labels, len(snapshot.classes)
            data = TrainingData(take(rows), labels, classes, items=rows, parts=parts)
            found.append(OtherAnswers(snapshot, data))
    return found
