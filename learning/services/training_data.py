"""What a training reads: the labels as they stand, what rules say, the embeddings of both and of the rest."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelling.selectors import pool_sample
from learning.core.methods import METHODS, TrainingData
from learning.core.methods.base import Tick
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


def labelled_read(learner: Learner) -> Labelled:
    embeddings = embeddings_open(project=learner.project, backbone=learner.backbone)
    snapshot = snapshot_take(question=learner.question, embedded=embeddings.ids)
    weak = weak_labels(learner=learner, snapshot=snapshot, embeddings=embeddings)
    return Labelled(embeddings, snapshot_with_rules(snapshot, weak), weak)


def training_data(learner: Learner, known: Labelled, tick: Tick) -> tuple[TrainingData, NDArray[np.int64]]:
    """What the learner's method learns from, and the rows (U,) of the items that it has without a label."""
    embeddings, snapshot = known.embeddings, known.snapshot
    unlabelled = _unlabelled(learner, snapshot, embeddings.ids)
    rows, labels, votes = labels_with_rules(snapshot, known.weak)
    data = TrainingData(
        embeddings.take(rows),
        labels,
        len(snapshot.classes),
        unlabelled=embeddings.take(unlabelled) if len(unlabelled) else None,
        soft=votes.soft(labels) if votes else None,
        items=rows,
        parts=backbone_artifact(name=learner.backbone).parts,
        votes=votes,
        tick=tick,
    )
    return data, unlabelled


def _unlabelled(learner: Learner, snapshot: Snapshot, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows (U,) of the pool's items that the snapshot has no label of, for a method that learns from them: of
    a big pool a sample.

    The hold-out is not among them: not even its pictures are trained on.
    """
    if "unlabelled" not in METHODS[learner.method].uses:
        return np.empty(0, np.int64)
    rows = rows_of(np.array(pool_sample(learner.project, UNLABELLED), np.int64), ids)
    return np.setdiff1d(rows[rows >= 0], snapshot.pool.rows)
