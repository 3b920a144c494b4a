"""The label model finds who is right without being told, and its probabilities are Bayes' own."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from learning.core.weak.label_model import ABSTAIN, LabelModel, dawid_skene, fitting_model, one_accuracy
from learning.core.weak.table import rule_table

Model = Callable[..., LabelModel]
ACCURACY = [0.9, 0.75, 0.6, 0.85]
MODELS = pytest.mark.parametrize("model", [dawid_skene, one_accuracy])


def simulated(n: int = 3000, classes: int = 3) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Votes (n, 4) of rules of known accuracy that speak on most items, and the truth."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, classes, n)
    wrong = (truth[:, None] + rng.integers(1, classes, (n, 4))) % classes
    votes = np.where(rng.random((n, 4)) < ACCURACY, truth[:, None], wrong)
    return np.where(rng.random((n, 4)) < 0.8, votes, ABSTAIN), truth


@MODELS
def test_it_finds_each_rules_accuracy_and_beats_the_majority(model: Model) -> None:
    votes, truth = simulated()
    found = model(votes, 3)
    right = np.einsum("k,mkk->m", found.prior, found.confusion[:, :, :3])
    accuracy = right / np.einsum("k,mkv->m", found.prior, found.confusion[:, :, :3])
    np.testing.assert_allclose(accuracy, ACCURACY, atol=0.04)
    majority = np.eye(4)[votes][:, :, :3].sum(axis=1).argmax(axis=1)
    assert (found.soft.argmax(axis=1) == truth).mean() > (majority == truth).mean()
    confidence = found.soft.max(axis=1)
    assert confidence.mean() == pytest.approx((found.soft.argmax(axis=1) == truth).mean(), abs=0.03)


@MODELS
def test_probabilities_are_bayes_rule_by_brute_force_and_the_likelihood_never_falls(model: Model) -> None:
    votes, _ = simulated(200)
    found = model(votes, 3, smooth=0.0)
    assert model is not dawid_skene or (np.diff(found.log_likelihood) >= -1e-9).all()
    for item in np.flatnonzero((votes != ABSTAIN).any(axis=1))[:20]:
        joint = found.prior.copy()
        for rule, vote in enumerate(votes[item]):
            joint = joint * found.confusion[rule, :, vote]
        np.testing.assert_allclose(found.soft[item], joint / joint.sum(), atol=1e-6)


@MODELS
def test_silence_leaves_the_prior_and_one_vote_is_not_certainty(model: Model) -> None:
    votes = np.array([[ABSTAIN, ABSTAIN], [1, ABSTAIN], [0, 0], [0, ABSTAIN]])
    found = model(votes, 2)
    np.testing.assert_allclose(found.soft[0], found.prior)
    np.testing.assert_allclose(found.soft.sum(axis=1), 1)
    assert found.soft.max() < 1
    silent = model(np.full((3, 2), ABSTAIN), 4)
    np.testing.assert_allclose(silent.soft, 0.25)


@pytest.mark.parametrize(
    ("votes", "sentence"),
    [
        (np.zeros((0, 2), np.int64), "not empty"),
        (np.zeros(3, np.int64), r"a table \(items, rules\)"),
        (np.array([[2, 0]]), r"or 0\.\.1; found 0\.\.2"),
        (np.array([[-2, 0]]), r"found -2\.\.0"),
    ],
)
def test_votes_that_make_no_sense_are_refused(votes: NDArray[np.int64], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        dawid_skene(votes, 2)


def test_the_table_counts_what_a_person_would_count() -> None:
    votes = np.array([[0, 0, -1], [0, 1, -1], [1, -1, -1], [-1, -1, -1]])
    believed = LabelModel(np.eye(2), np.array([0, 0, 1, 0]), np.full(2, 0.5), np.empty(0), [])
    first, second, third = rule_table(votes, believed, np.array([0, 1, -1, -1]))
    assert (first.coverage, first.overlap, first.conflict) == (0.75, 0.5, 0.25)
    assert (first.estimated_accuracy, first.checked, first.accuracy) == (1.0, 2, 0.5)
    assert (second.estimated_accuracy, second.accuracy) == (0.5, 1.0)
    assert (third.coverage, third.estimated_accuracy, third.checked, third.accuracy) == (0, None, 0, None)


@MODELS
def test_rules_that_name_one_label_each_are_weighed_by_when_they_are_silent(model: Model) -> None:
    """Each fires on three in four items of its label and one in four of the others."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 2000)
    label = np.array([0, 1, 0, 1])
    fires = rng.random((2000, 4)) < np.where(truth[:, None] == label, 0.75, 0.25)
    found = model(np.where(fires, label, ABSTAIN), 2)
    assert (found.soft.argmax(axis=1) == truth)[fires.any(axis=1)].mean() > 0.8
    rates = found.confusion[np.arange(4), :, label]  # (rule, truth): how often it fires
    np.testing.assert_allclose(rates[np.arange(4), label], 0.75, atol=0.05)
    np.testing.assert_allclose(rates[np.arange(4), 1 - label], 0.25, atol=0.05)


def test_a_confusion_matrix_is_estimated_from_enough_votes_only() -> None:
    votes, _ = simulated()
    np.testing.assert_array_equal(fitting_model(votes, 3).soft, dawid_skene(votes, 3).soft)
    np.testing.assert_array_equal(fitting_model(votes[:40], 3).soft, one_accuracy(votes[:40], 3).soft)


def test_what_people_said_stands_and_judges_the_rules() -> None:
    """Rules that never overlap are believed, until people say otherwise."""
    truth = np.arange(600) % 3
    votes = np.full((600, 2), ABSTAIN)
    votes[:300, 0] = 0  # right in a third of its votes
    votes[300:, 1] = np.where(truth[300:] > 0, truth[300:], ABSTAIN)
    known = np.where(np.arange(600) % 20 < 2, truth, ABSTAIN)
    believed, judged = one_accuracy(votes, 3), one_accuracy(votes, 3, known=known)
    wrong = slice(0, 300)
    assert believed.soft[wrong, 0].mean() > 0.95
    unlabelled = np.flatnonzero(known[wrong] == ABSTAIN)
    assert judged.soft[unlabelled, 0].mean() < 0.7
    np.testing.assert_array_equal(judged.soft[known != ABSTAIN], np.eye(3)[known[known != ABSTAIN]])
    assert (np.diff(dawid_skene(votes, 3, known=known, smooth=0.0).log_likelihood) >= -1e-9).all()


def test_a_thousand_classes_and_a_big_pool_take_no_gigabytes() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 1000, 200_000)
    # Rules that each speak of few labels: some hundred cases among all items.
    votes = np.where(truth[:, None] % 100 == np.arange(3), truth[:, None], ABSTAIN)
    tracemalloc.start()
    found = fitting_model(votes, 1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 300e6, "of all items alone 1,600 MB"
    spoken = np.flatnonzero((votes != ABSTAIN).any(axis=1))[:50]
    assert (found.soft_of(spoken).argmax(axis=1) == truth[spoken]).all()
