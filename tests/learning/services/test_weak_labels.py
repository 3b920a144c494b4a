"""What a training gets of the rules: votes that are weighed anew wherever labels are held back."""

from dataclasses import replace

import numpy as np
import pytest

from learning.core.methods import NO_LABEL
from learning.services.learners import learner_update
from learning.services.pool_embeddings import embeddings_open
from learning.services.snapshots import snapshot_take
from learning.services.weak_labels import labels_with_rules, weak_labels
from tests.learning.digits import label_items
from tests.learning.shelves import shelves, write, write_shelves

pytestmark = pytest.mark.django_db


def test_labels_held_back_do_not_say_how_far_rules_are_believed() -> None:
    project, truth, learner = shelves(120)
    rules = write_shelves(learner)
    write(learner, "sure", "1", {"kind": "score", "label": "1", "at_least": 0.5})
    learner_update(learner=learner, method="auto")
    label_items(project, truth, 30)
    embeddings = embeddings_open(project=project, backbone=learner.backbone)
    snapshot = snapshot_take(question=learner.question, embedded=embeddings.ids)
    weak = weak_labels(learner=learner, snapshot=snapshot, embeddings=embeddings)
    assert weak is not None

    rows, labels, votes = labels_with_rules(snapshot, weak)

    assert votes is not None
    assert votes.scored == (len(rules),)
    assert (labels != NO_LABEL).sum() == 30
    assert len(rows) == 30 + len(weak.rows) > 30
    kept = np.arange(10, len(rows))
    fewer = replace(
        snapshot,
        pool=replace(snapshot.pool, rows=snapshot.pool.rows[10:], labels=snapshot.pool.labels[10:]),
    )
    never_labelled = weak_labels(learner=learner, snapshot=fewer, embeddings=embeddings)
    assert never_labelled is not None
    model = never_labelled.reckoned.model
    assert model is not None
    said = weak.reckoned.said.rows.searchsorted(rows[30:])
    held_back = votes.rows(kept).soft(labels[kept])[20:]
    np.testing.assert_allclose(held_back, model.soft_of(said))
    assert np.abs(held_back - votes.soft(labels)[30:]).max() > 1e-3
