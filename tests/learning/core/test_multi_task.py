"""Several questions learned together: the gradients, how losses combine, and what sharing brings."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from learning.core.export import head_onnx, head_read, head_safetensors
from learning.core.methods import METHODS, Head, TrainingData, fit_questions
from learning.core.methods.combine import COMBINE, pcgrad, uncertainty
from learning.core.methods.shared_trunk import Network, Task, gradients, ones
from tests.learning.core.test_methods import clusters, digest

EVERY = pytest.mark.parametrize("combine", list(COMBINE))


def two_questions(answers: int, seed: int = 0) -> tuple[list[TrainingData], TrainingData, NDArray[np.int64]]:
    """Which of 6 clusters, of 60 items, and of only the first `answers` whether its number is odd.

    Then items that nobody answered, with their clusters, and whether those are odd.
    """
    every = clusters(n=360, classes=6, features=40, seed=seed)
    odd = every.labels % 2
    first = replace(every.rows(np.arange(60)), items=np.arange(60))
    second = replace(first.rows(np.arange(answers)), labels=odd[:answers], classes=2)
    unseen = np.arange(60, 360)
    return [first, second], every.rows(unseen), odd[unseen]


def together(data: list[TrainingData], seed: int = 0, **config: object) -> list[Head]:
    return fit_questions("multi-task", data, config, seed)


def rights(head: Head, embeddings: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    return float((head.logits(embeddings).argmax(axis=1) == labels).mean())


@EVERY
def test_a_question_with_few_answers_learns_from_the_other(combine: str) -> None:
    alone, shared = [], []
    for seed in range(5):
        data, unseen, odd = two_questions(answers=8, seed=seed)
        heads = together(data, seed, combine=combine)
        assert rights(heads[0], unseen.embeddings, unseen.labels) > 0.95
        shared.append(rights(heads[1], unseen.embeddings, odd))
        alone.append(rights(fit_questions("transfer", data, {}, seed)[1], unseen.embeddings, odd))
    assert np.mean(shared) > np.mean(alone)


@EVERY
def test_the_same_answers_and_seed_give_the_same_bits_on_one_trunk(combine: str) -> None:
    data, _, _ = two_questions(answers=20)
    first, again = together(data, combine=combine), together(data, combine=combine)
    assert [digest(head) for head in first] == [digest(head) for head in again]
    assert digest(together(data, seed=1, combine=combine)[0]) != digest(first[0])
    assert first[0].trunk is first[1].trunk is not None


def test_a_head_on_a_trunk_comes_back_from_its_bytes_and_exports_as_another_does() -> None:
    data, unseen, _ = two_questions(answers=20)
    for head, classes in zip(together(data), (6, 2), strict=True):
        read = head_read(head_safetensors(head))
        np.testing.assert_array_equal(read.logits(unseen.embeddings), head.logits(unseen.embeddings))
        assert head_onnx(read, 1.0, classes) == head_onnx(head, 1.0, classes)


def test_an_answer_that_is_missing_teaches_nothing() -> None:
    """A row without an answer to a question is no example of it, wherever the row stands."""
    data, _, _ = two_questions(answers=20)
    order = np.random.default_rng(0).permutation(60)
    shuffled = [data[0].rows(order), data[1].rows(order[order < 20])]
    for head, other in zip(together(data), together(shuffled), strict=True):
        expected = head.logits(data[0].embeddings)
        np.testing.assert_allclose(other.logits(data[0].embeddings), expected, atol=1e-2)
    # Without items, no row is another question's row: the same examples, each counted for its question only.
    apart = together([replace(one, items=None) for one in data])
    assert rights(apart[1], data[1].embeddings, data[1].labels) > 0.9


def test_the_gradients_are_those_of_automatic_differentiation() -> None:
    rng = np.random.default_rng(0)
    x = ones(rng.normal(size=(9, 5)).astype(np.float32))
    network = Network(
        rng.normal(size=(7, 6)).astype(np.float32),
        [rng.normal(size=(classes, 8)).astype(np.float32) for classes in (3, 2)],
    )
    tasks = [
        Task(rows, np.eye(classes, dtype=np.float32)[rng.integers(classes, size=len(rows))], weight)
        for rows, classes, weight in [
            (np.arange(9), 3, np.full(9, 1 / 9, np.float32)),
            (np.array([1, 4, 5]), 2, np.array([0.5, 0.25, 0.25], np.float32)),
        ]
    ]
    losses, shared, own = gradients(network, x, tasks)
    for q, task in enumerate(tasks):
        trunk = torch.tensor(network.trunk, requires_grad=True)
        head = torch.tensor(network.heads[q], requires_grad=True)
        hidden = torch.relu(torch.tensor(x[task.rows]) @ trunk.T)
        logits = torch.cat([hidden, torch.ones(len(task.rows), 1)], dim=1) @ head.T
        loss = functional.cross_entropy(logits, torch.tensor(task.truth), reduction="none")
        torch.autograd.backward(loss @ torch.tensor(task.weight))
        assert losses[q] == pytest.approx(float(loss.detach() @ torch.tensor(task.weight)), rel=1e-5)
        assert trunk.grad is not None
        assert head.grad is not None
        np.testing.assert_allclose(shared[q], trunk.grad.numpy(), atol=1e-6)
        np.testing.assert_allclose(own[q], head.grad.numpy(), atol=1e-6)


def test_pcgrad_leaves_agreeing_gradients_and_takes_conflicts_out() -> None:
    zeros, rng = np.zeros(2), np.random.default_rng(0)
    agreeing = np.array([[1.0, 0.0], [1.0, 1.0]])
    np.testing.assert_allclose(pcgrad(agreeing, zeros, zeros, rng)[0], [2.0, 1.0])
    against = np.array([[1.0, 0.0], [-1.0, 1.0]])
    # By the paper's equation: (1, 0) + 1/2 (-1, 1), and (-1, 1) + (1, 0).
    np.testing.assert_allclose(pcgrad(against, zeros, zeros, rng)[0], [0.5, 1.5])
    for before in (agreeing, against):
        kept = before.copy()
        pcgrad(before, zeros, zeros, rng)
        np.testing.assert_array_equal(before, kept)


def test_uncertainty_weights_rest_where_the_derivative_of_the_loss_is_zero() -> None:
    losses = np.array([0.5, 2.0])
    rest = np.log(2 * losses)  # of exp(-s) L + s / 2
    _, factors, slope = uncertainty(np.eye(2), losses, rest, np.random.default_rng(0))
    np.testing.assert_allclose(slope, 0, atol=1e-12)
    np.testing.assert_allclose(factors * losses, 0.5)


def test_an_unknown_way_to_combine_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="one of sum, uncertainty, pcgrad, not 'max'"):
        together(two_questions(answers=20)[0], combine="max")


@pytest.mark.parametrize(
    ("name", "combine"),
    [("multi-task", "uncertainty"), ("multi-task-sum", "sum"), ("multi-task-pcgrad", "pcgrad")],
)
def test_each_way_to_combine_is_a_method_that_can_be_chosen(name: str, combine: str) -> None:
    data, _, _ = two_questions(answers=40)
    # Answers by chance, so that the questions pull against each other: else PCGrad is the sum.
    data[1] = replace(data[1], labels=np.random.default_rng(0).integers(0, 2, 40))
    found = [digest(head) for head in fit_questions(name, data, {}, 0)]
    assert found == [digest(head) for head in together(data, combine=combine)]
    others = [digest(together(data, combine=other)[1]) for other in COMBINE if other != combine]
    assert found[1] not in others


def test_no_other_method_learns_questions_together() -> None:
    of_several = [name for name, one in METHODS.items() if one.together]
    assert of_several == ["multi-task", "multi-task-sum", "multi-task-pcgrad"]
