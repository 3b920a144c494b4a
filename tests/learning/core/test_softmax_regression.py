"""The solver agrees with scikit-learn's, and weights and soft labels mean what they say."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from learning.core.methods.softmax_regression import Weights, softmax_regression


def problem(n: int, features: int, classes: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(n)
    labels = np.arange(n) % classes
    return rng.normal(size=(classes, features))[labels] + rng.normal(size=(n, features)), labels


def proba(found: Weights, z: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(softmax(z @ found.weight.T + found.bias, axis=1))


def exact(
    z: NDArray[np.float64],
    soft: NDArray[np.float64],
    weight: NDArray[np.float64] | None = None,
    strength: float = 1.0,
) -> Weights:
    return softmax_regression(z, soft, weight, strength=strength, steps=5000, tolerance=1e-9)


@pytest.mark.parametrize("n", [12, 200])  # fewer and more examples than features
@pytest.mark.parametrize("classes", [3, 6])
def test_hard_labels_give_scikit_learns_weights(n: int, classes: int) -> None:
    z, labels = problem(n, 60, classes)
    theirs = LogisticRegression(C=0.5, tol=1e-10, max_iter=5000).fit(z, labels)
    ours = exact(z, np.eye(classes)[labels], strength=0.5)
    np.testing.assert_allclose(ours.weight, theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(proba(ours, z), theirs.predict_proba(z), atol=1e-5)


def test_a_weight_of_two_is_the_item_twice_and_of_none_the_item_left_out() -> None:
    z, labels = problem(60, 8, 3)
    soft, times = np.eye(3)[labels], np.arange(60) % 3
    weighted = exact(z, soft, times.astype(np.float64))
    repeated = exact(np.repeat(z, times, axis=0), np.repeat(soft, times, axis=0))
    np.testing.assert_allclose(weighted.weight, repeated.weight, atol=1e-4)


def test_a_soft_label_is_its_hard_labels_in_their_shares() -> None:
    z, labels = problem(60, 8, 3)
    soft = 0.75 * np.eye(3)[labels] + 0.25 * np.eye(3)[(labels + 1) % 3]
    both, shares = np.concatenate([z, z]), np.repeat([0.75, 0.25], 60)
    hard = exact(both, np.eye(3)[np.concatenate([labels, (labels + 1) % 3])], shares)
    np.testing.assert_allclose(exact(z, soft).weight, hard.weight, atol=1e-4)


@pytest.mark.parametrize(
    ("soft", "weight", "sentence"),
    [
        (np.full((2, 2), 0.4), None, "must be probabilities"),
        (np.array([[np.nan, 1], [0, 1]]), None, "must be probabilities"),
        (np.eye(3), None, "2 rows of features, but 3"),
        (np.eye(2), np.array([0.0, 0.0]), "at least 0, and some above"),
        (np.eye(2), np.array([-1.0, 2.0]), "at least 0, and some above"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(
    soft: NDArray[np.float64], weight: NDArray[np.float64] | None, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        softmax_regression(np.ones((2, 4)), soft, weight, strength=1.0)
