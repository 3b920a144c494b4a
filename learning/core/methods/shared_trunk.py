"""A small network with one trunk for several questions and a head for each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from learning.core.methods.combine import Combine

Float32 = NDArray[np.float32]

WIDTH = 128
STEPS = 200
RATE = 0.01
DECAY = 1e-3


@dataclass(frozen=True)
class Task:
    """What is known of one question: the others' rows are masked."""

    rows: NDArray[np.int64]  # (m,) of the examples
    truth: Float32  # (m, S), rows sum to 1
    weight: Float32  # (m,), sums to 1


@dataclass
class Network:
    """h = max(x T', 0), logits_q = h W_q'. Examples and h end in a column of ones, so biases are columns."""

    trunk: Float32  # (H, d + 1)
    heads: list[Float32]  # (S_q, H + 1) each


def gradients(network: Network, x: Float32, tasks: Sequence[Task]) -> tuple[Float32, Float32, list[Float32]]:
    """Each task's loss (Q,), its gradient of the trunk (Q, H, d + 1), and that of its head."""
    before = x @ network.trunk.T  # (n, H)
    hidden = ones(np.maximum(before, 0))  # (n, H + 1)
    losses = np.zeros(len(tasks), np.float32)
    shared = np.zeros((len(tasks), *network.trunk.shape), np.float32)
    own = []
    for q, (task, head) in enumerate(zip(tasks, network.heads, strict=True)):
        log_proba = log_softmax(hidden[task.rows] @ head.T, axis=1)  # (m, S)
        losses[q] = -(task.weight @ (task.truth * log_proba).sum(axis=1))
        residual = task.weight[:, None] * (np.exp(log_proba) - task.truth)  # (m, S)
        own.append(residual.T @ hidden[task.rows])
        back = (residual @ head[:, :-1]) * (before[task.rows] > 0)  # (m, H)
        shared[q] = back.T @ x[task.rows]
    return losses, shared, own


def train(
    x: Float32, tasks: Sequence[Task], combine: Combine, rng: np.random.Generator, tick: Callable[[str], None]
) -> Network:
    """Adam (Kingma and Ba 2015) on all examples, STEPS times. `x` (n, d + 1) ends in ones. `tick` is called
    before each step, with "", and may raise to end it.
    """
    start = rng.standard_normal((WIDTH, x.shape[1])).astype(np.float32)
    start /= np.sqrt(np.maximum((x**2).sum(axis=1).mean(), 1))  # what goes into the ReLU has variance 1
    parameters = [start, np.zeros(len(tasks), np.float32)]
    parameters += [np.zeros((task.truth.shape[1], WIDTH + 1), np.float32) for task in tasks]
    first = [np.zeros_like(one) for one in parameters]
    second = [np.zeros_like(one) for one in parameters]
    for step in range(1, STEPS + 1):
        tick("")
        trunk, log_variance, *heads = parameters
        losses, shared, own = gradients(Network(trunk, heads), x, tasks)
        together, factors, of_variance = combine(shared.reshape(len(tasks), -1), losses, log_variance, rng)
        downhill = [
            together.reshape(trunk.shape) + DECAY * trunk,
            of_variance,
            *(f * g + DECAY * head for f, g, head in zip(factors, own, heads, strict=True)),
        ]
        rate = RATE * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        for place, gradient in enumerate(downhill):
            first[place] = 0.9 * first[place] + 0.1 * gradient
            second[place] = 0.999 * second[place] + 0.001 * gradient**2
            change = rate * first[place] / (np.sqrt(second[place]) + 1e-8)
            parameters[place] = (parameters[place] - change).astype(np.float32)
    return Network(parameters[0], parameters[2:])


def ones(rows: Float32) -> Float32:
    """(n, d) -> (n, d + 1), the last column ones."""
    return np.hstack([rows, np.ones((len(rows), 1), np.float32)])
