"""The graph's labels solve the equation of the paper, and need few examples."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import make_moons

from learning.core.methods.poisson import LEAK, neighbour_graph, poisson_learning


def points(n: int = 120) -> NDArray[np.float64]:
    return np.random.default_rng(2).normal(size=(n, 3))


def test_the_graph_is_symmetric_and_joins_the_nearest_that_brute_force_finds() -> None:
    z = points()
    graph = neighbour_graph(z, k=5).toarray()
    np.testing.assert_array_equal(graph, graph.T)
    distance = np.linalg.norm(z[:, None] - z, axis=2)
    np.fill_diagonal(distance, np.inf)
    nearest = distance <= np.sort(distance, axis=1)[:, 4:5]
    np.testing.assert_array_equal(graph > 0, nearest | nearest.T)


def test_scores_solve_the_dense_equation() -> None:
    graph, labelled, labels = neighbour_graph(points()), np.array([3, 50, 51, 80]), np.array([0, 1, 2, 1])
    weights = graph.toarray()
    degree = weights.sum(axis=1)
    sources = np.zeros((120, 3))
    sources[labelled] = np.eye(3)[labels] - np.eye(3)[labels].mean(axis=0)
    expected = np.linalg.solve(np.diag((1 + LEAK) * degree) - weights, sources)
    expected -= degree @ expected / degree.sum()
    found = poisson_learning(graph, labelled, labels, 3)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("seed", range(3))
def test_two_labels_are_enough_for_two_moons(seed: int) -> None:
    z, truth = make_moons(400, noise=0.06, random_state=seed)
    labelled = np.array([np.flatnonzero(truth == label)[0] for label in (0, 1)])
    found = poisson_learning(neighbour_graph(z), labelled, truth[labelled], 2).argmax(axis=1)
    assert (found == truth).mean() > 0.95


def test_a_graph_in_parts_and_identical_items_give_finite_scores() -> None:
    apart = np.concatenate([points(40), points(40) + 100, np.ones((20, 3))])
    found = poisson_learning(neighbour_graph(apart), np.array([0, 41]), np.array([0, 1]), 2)
    assert np.isfinite(found).all()
    assert found[:40].argmax(axis=1).tolist() == [0] * 40
    assert found[40:80].argmax(axis=1).tolist() == [1] * 40
