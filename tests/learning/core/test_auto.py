"""The automatic choice is the best of those it compared, within its time, and says why."""

from dataclasses import replace

import numpy as np

from learning.core.methods import METHODS, NO_LABEL, TrainingData
from learning.core.methods.auto import planned
from tests.learning.core.test_methods import clusters, digest, fit, with_everything


def crossed() -> TrainingData:
    """Two classes that no single average describes: a line divides them, their means coincide almost."""
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 2
    z = rng.normal(size=(80, 6)) * [8, 8, 8, 8, 1, 1]
    z[:, 4] += 2 * labels
    return TrainingData(z.astype(np.float32), labels.astype(np.int64), 2)


def test_it_takes_what_answers_most_held_back_labels() -> None:
    head = fit("auto", crossed())
    assert head.note.startswith("Transfer: most right answers to 80 held-back labels (Prototypes ")
    assert digest(head) == digest(fit("transfer", crossed()))


def test_of_equals_it_takes_the_quickest() -> None:
    head = fit("auto", clusters())
    assert head.note == (
        "Prototypes: most right answers to 60 held-back labels (Prototypes 60, Transfer 60)."
    )


def test_one_label_a_class_leaves_nothing_to_compare_by() -> None:
    head = fit("auto", clusters(n=3))
    assert head.note == "Prototypes: no label has two examples yet to compare methods by."
    assert digest(head) == digest(fit("prototypes", clusters(n=3)))


def ruled(right: float, known: int) -> TrainingData:
    """Three classes that overlap; rules that are sure of every item, and right in this share of them."""
    data, rng = clusters(n=300, features=20), np.random.default_rng(1)
    blurred = data.embeddings + rng.normal(size=data.embeddings.shape).astype(np.float32) * 4
    said = np.where(rng.random(300) < right, data.labels, (data.labels + 1) % 3)
    people = np.where(np.arange(300) < known, data.labels, NO_LABEL)
    return TrainingData(blurred, people, 3, soft=np.eye(3)[said])


def test_rules_are_learned_from_while_they_know_more_than_people_have_said() -> None:
    assert fit("auto", ruled(0.95, 15)).note.startswith("Weak supervision: most right answers to 15 ")
    assert "Weak supervision" not in fit("auto", ruled(0.4, 150)).note.partition(":")[0]


def test_without_labels_of_two_classes_rules_alone_are_learned_from() -> None:
    data = ruled(0.95, 1)
    head = fit("auto", data)
    assert head.note == "Weak supervision: people's labels are not of two classes yet."
    assert digest(head) == digest(fit("weak-supervision", data))


def test_what_the_time_does_not_allow_is_named() -> None:
    data = with_everything(clusters()).by_people()
    assert {m.name for m in planned(data, 1e6)[0]} >= {"semi-supervised", "self-training", "transfer"}
    head = fit("auto", data, seconds=1.0)
    assert head.note.endswith("; no time for Semi-supervised and Self-training.")
    tried, late = planned(data, 1e-9)  # never nothing at all
    assert [m.name for m in tried] == ["prototypes"]
    assert len(tried) + len(late) == len(planned(data, 1e6)[0])


def test_methods_that_lack_something_or_are_for_several_questions_are_not_compared() -> None:
    lacking = replace(with_everything(clusters()).by_people(), unlabelled=None)
    names = {m.name for m in planned(lacking, 1e6)[0]}
    assert names == {m.name for m in METHODS.values() if not (m.needs or m.together) and m.name != "auto"}
