"""Self-training keeps its teacher where a student cannot be shown to do as well."""

import numpy as np

from learning.core.methods import TrainingData
from tests.learning.core.test_methods import clusters, digest, fit, with_everything


def test_self_training_keeps_the_teacher_where_a_student_does_worse() -> None:
    """What tells the classes apart is drowned in a pool where it is a hundred times as large."""
    labels, rng = (np.arange(60) % 2).astype(np.int64), np.random.default_rng(0)
    z, pool, unseen = (rng.normal(size=(n, 24)).astype(np.float32) for n in (60, 300, 1000))
    truth = np.arange(1000) % 2
    z[:, 0], pool[:, 0], unseen[:, 0] = (
        z[:, 0] + 6 * labels - 3,
        300 * pool[:, 0],
        unseen[:, 0] + 6 * truth - 3,
    )
    misleading = TrainingData(z, labels, 2, unlabelled=pool)
    head = fit("self-training", misleading)
    assert digest(head) == digest(fit("transfer", misleading))
    assert head.note.startswith("The teacher alone: a student answered ")
    right = [
        (one.logits(unseen).argmax(axis=1) == truth).mean()
        for one in (head, fit("self-training", misleading, guard=False))
    ]
    assert right[0] > right[1] + 0.3, "without the guard the student would not have done worse"


def test_self_training_does_not_judge_by_labels_it_has_once() -> None:
    note = fit("self-training", with_everything(clusters(n=3))).note
    assert note == "The teacher alone: no label has two examples to check a student by."
