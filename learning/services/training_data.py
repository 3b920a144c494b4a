"""What a training reads: the labels as they stand, what rules say, the embeddings of both and of the rest."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelling.models import Project
from labelling.selectors import pool_sample
from learning.core.methods import METHODS, TrainingData
from learning.core.methods.base import Tick
from learning.core.methods.budget import Budget, Granted, Size, granted
from learning.models import Learner
from learning.services.backbones import backbone_artifact
from learning.services.pool_embeddings import PoolEmbeddings, embeddings_open
from learning.services.snapshots import Snapshot, rows_of, snapshot_take
from learning.services.weak_labels import WeakLabels, labels_with_rules, snapshot_with_rules, weak_labels

UNLABELLED = 20_000  # items of a pool that a method can learn from without their labels: 140 MB of them


@dataclass(frozen=True)
class Labelled:
    embeddings: PoolEmbeddings
    snapshot: Snapshot  # covers the rules, too
    weak: WeakLabels | None

    @property
    def trainable(self) -> bool:
        """Whether people's labels, or those of rules, are of two classes."""
        return self.snapshot.trainable or (self.weak is not None and self.weak.trainable)


@dataclass(frozen=True)
class Lesson:
    data: TrainingData
    unlabelled: NDArray[np.int64]  # (U,), rows of the items that it has without a label
    granted: Granted


def labelled_read(learner: Learner) -> Labelled:
    embeddings = embeddings_open(project=learner.project, backbone=learner.backbone)
    snapshot = snapshot_take(question=learner.question, embedded=embeddings.ids)
    weak = weak_labels(learner=learner, snapshot=snapshot, embeddings=embeddings)
    return Labelled(embeddings, snapshot_with_rules(snapshot, weak), weak)


def training_data(
    learner: Learner, known: Labelled, tick: Tick, *, method: str, seconds: float, fits: int = 1
) -> Lesson:
    """What a method learns from, in a fit that is done so many times, within these seconds and the learner's
    memory.
    """
    embeddings, snapshot = known.embeddings, known.snapshot
    rows, labels, votes = labels_with_rules(snapshot, known.weak)
    labelled = embeddings.take(rows)
    unlabelled = _unlabelled(learner.project, method, snapshot, embeddings.ids)
    size = Size(len(rows), len(unlabelled), labelled.shape[1])
    may = granted(method, size, Budget(seconds, learner.training_megabytes), fits)
    if may.unlabelled < len(unlabelled):
        drawn = np.random.default_rng(learner.seed).choice(len(unlabelled), may.unlabelled, replace=False)
        unlabelled = unlabelled[np.sort(drawn)]
    data = TrainingData(
        labelled,
        labels,
        len(snapshot.classes),
        unlabelled=embeddings.take(unlabelled) if len(unlabelled) else None,
        soft=votes.soft(labels) if votes else None,
        items=rows,
        parts=backbone_artifact(name=learner.backbone).parts,
        votes=votes,
        tick=tick,
    )
    return Lesson(data, unlabelled, may)


def _unlabelled(
    project: Project, method: str, snapshot: Snapshot, ids: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Rows (U,) of the pool's items that the snapshot has no label of, for a method that learns from them: of
    a big pool a sample.

    The hold-out is not among them: not even its pictures are trained on.
    """
    if "unlabelled" not in METHODS[method].uses:
        return np.empty(0, np.int64)
    rows = rows_of(np.array(pool_sample(project, UNLABELLED), np.int64), ids)
    return np.setdiff1d(rows[rows >= 0], snapshot.pool.rows)
