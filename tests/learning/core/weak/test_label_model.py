"""The label model finds who is right without being told, and its probabilities are Bayes' own."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from learning.core.weak.label_model import ABSTAIN, LabelModel, dawid_skene, one_accuracy
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
    accuracy = np.einsum("k,mkk->m", found.prior, found.confusion)
    np.testing.assert_allclose(accuracy, ACCURACY, atol=0.04)
    majority = np.eye(4)[votes][:, :, :3].sum(axis=1).argmax(axis=1)
    assert (found.soft.argmax(axis=1) == truth).mean() > (majority == truth).mean()
    confidence = found.soft.max(axis=1)
    assert confidence.mean() == pytest.approx((found.soft.argmax(axis=1) == truth).mean(), abs=0.03)


@MODELS
def test_probabilities_are_bayes_rule_by_brute_force_and_the_likelihood_never_falls(model: Model) -> None:
    votes, _ = simulated(200)
    found = model(votes, 3, smooth=0.0)
    assert (np.diff(found.log_likelihood) >= -1e-9).all()
    for item in range(20):
        joint = found.prior.copy()
        for rule, vote in enumerate(votes[item]):
            if vote != ABSTAIN:
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
    first, second, third = rule_table(votes, np.eye(2)[[0, 0, 1, 0]], np.array([0, 1, -1, -1]))
    assert (first.coverage, first.overlap, first.conflict) == (0.75, 0.5, 0.25)
    assert (first.estimated_accuracy, first.checked, first.accuracy) == (1.0, 2, 0.5)
    assert (second.estimated_accuracy, second.accuracy) == (0.5, 1.0)
    assert (third.coverage, third.estimated_accuracy, third.checked, third.accuracy) == (0, None, 0, None)
