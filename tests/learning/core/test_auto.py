"""The automatic choice is the best of those it compared, within its time, and says why."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from learning.core.methods import METHODS, NO_LABEL, TrainingData, softmax
from learning.core.methods.auto import choice, planned
from learning.core.pool import Pool
from learning.core.strategies import select
from tests.learning.core.test_methods import clusters, digest, fit, with_everything


def some_digits(labels: int, seed: int) -> tuple[TrainingData, NDArray[np.float32], NDArray[np.int64]]:
    """What is known of so many, and the pictures and truth of others, as pixels."""
    found = load_digits()
    x, y = np.asarray(found.data, np.float32), found.target.astype(np.int64)
    order = np.random.default_rng(seed).permutation(len(y))
    known, pool, test = order[:labels], order[labels:1300], order[1300:]
    return TrainingData(x[known], y[known], 10, unlabelled=x[pool]), x[test], y[test]


def test_it_takes_the_method_by_which_held_back_labels_are_likeliest() -> None:
    gains = []
    for seed in range(4):
        data, x, truth = some_digits(40, seed)
        head = fit("auto", data, seed=seed)
        assert "held-back labels are likeliest by it (mean probability: Transfer 0." in head.note
        right = [
            (one.logits(x).argmax(axis=1) == truth).mean() for one in (head, fit("transfer", data, seed=seed))
        ]
        gains.append(right[0] - right[1])
    assert np.mean(gains) > 0.02


@pytest.mark.parametrize("seed", range(3))
def test_of_labels_that_were_asked_for_it_makes_no_worse_model_than_transfer(seed: int) -> None:
    """They are the hard ones, by which a worse method may look better."""
    everything, x, truth = some_digits(1300, seed)
    known, rng = np.arange(20), np.random.default_rng(seed)
    for _ in range(8):
        data = everything.rows(known)
        free = np.setdiff1d(np.arange(1300), known)
        proba = softmax(fit("transfer", data).logits(everything.embeddings[free]))
        pool = Pool(len(free), proba, everything.embeddings[free], labelled_embeddings=data.embeddings)
        known = np.concatenate([known, free[select("margin", pool, 10, rng).query.indices]])
    data = replace(everything.rows(known), unlabelled=np.delete(everything.embeddings, known, axis=0))
    automatic, transfer = (
        (fit(name, data).logits(x).argmax(axis=1) == truth).mean() for name in ("auto", "transfer")
    )
    assert automatic > transfer - 0.01


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
    assert fit("auto", ruled(0.95, 15)).note.startswith("Weak supervision: 15 held-back labels are ")
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
    assert head.note.endswith("; no time for Self-training and Semi-supervised.")
    tried, late = planned(data, 1e-9)  # never nothing at all
    assert [m.name for m in tried] == ["transfer"]
    assert len(tried) + len(late) == len(planned(data, 1e6)[0])
    # A graph of a big pool takes its time, whatever the number of labels.
    big = replace(data, unlabelled=np.zeros((20_000, data.embeddings.shape[1]), np.float32))
    assert [m.name for m in planned(big, 10.0)[1]] == ["semi-supervised"]
    assert planned(data, 10.0)[1] == []


def test_what_was_chosen_before_is_fitted_alone() -> None:
    data = with_everything(clusters()).by_people()
    before = {"method": "semi-supervised", "labels": 48, "why": "it was the best"}
    head = fit("auto", data, chosen=before)
    assert head.note == "Semi-supervised: it was the best."
    # What is chosen aside is what a fit would have chosen: the same bits.
    made = choice(data, {}, np.random.default_rng(0))
    assert made is not None
    assert made["labels"] == len(data.labels)
    assert digest(fit("auto", data, chosen=made)) == digest(fit("auto", data))
    assert fit("auto", data).note == f"{METHODS[made['method']].title}: {made['why']}."
    with pytest.raises(ValueError, match="There is no method 'guess'"):
        fit("auto", data, chosen={**before, "method": "guess"})


def test_where_nothing_can_be_compared_nothing_is_chosen() -> None:
    assert choice(clusters(n=3), {}, np.random.default_rng(0)) is None
    assert choice(ruled(0.95, 1), {}, np.random.default_rng(0)) is None


def test_methods_that_lack_something_or_are_for_several_questions_are_not_compared() -> None:
    lacking = replace(with_everything(clusters()).by_people(), unlabelled=None)
    names = {m.name for m in planned(lacking, 1e6)[0]}
    able = {m.name for m in METHODS.values() if not (m.needs or m.together)}
    assert names == able - {"auto", "prototypes"}
