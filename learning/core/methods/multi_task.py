from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from learning.core.methods.base import Together, TrainingData, method
from learning.core.methods.combine import COMBINE
from learning.core.methods.head import Float32, Head, Trunk, head_of_seen
from learning.core.methods.shared_trunk import Task, ones, train
from learning.core.methods.standardise import standard_of

# Measured on digits with 2 to 4 questions: longer examples learn faster, and more axes see no more.
LENGTH = 20.0
AXES = 256


def together(
    questions: Sequence[TrainingData], config: Mapping[str, Any], rng: np.random.Generator
) -> list[Head]:
    """A head for each question, on a trunk that they share: what teaches one question teaches the others.

    `questions` are the answers about the same embeddings; a question's row whose `items` is another's row is
    the same example. An example without an answer to a question has no part in that question's loss.
    `config["combine"]`: sum, uncertainty or pcgrad. Raises ValueError for another one.
    """
    combine = config.get("combine", "uncertainty")
    if combine not in COMBINE:
        raise ValueError(f"The setting 'combine' must be one of {', '.join(COMBINE)}, not {combine!r}.")
    embeddings, places = _examples(questions)
    standard = standard_of(embeddings, questions[0].parts)
    with threadpool_limits(1):
        z = standard.features(embeddings) * np.float32(LENGTH)  # (n, D)
        axes = _axes(z)  # (D, d)
        seen = [np.unique(data.labels) for data in questions]
        tasks = [_task(data, *of) for data, *of in zip(questions, places, seen, strict=True)]
        x = np.asarray(z @ axes, dtype=np.float32)  # (n, d)
        network = train(ones(x), tasks, COMBINE[combine], rng, questions[0].tick)
    weight = LENGTH * (network.trunk[:, :-1] @ axes.T) * standard.share  # (H, D)
    trunk = Trunk(
        np.ascontiguousarray(weight, dtype=np.float32),
        np.ascontiguousarray(network.trunk[:, -1]),
    )
    return [
        head_of_seen(
            centre=standard.centre,
            scale=standard.scale,
            weight=head[:, :-1],
            bias=head[:, -1],
            seen=found,
            classes=data.classes,
            normalise=True,
            trunk=trunk,
            parts=standard.parts,
        )
        for data, head, found in zip(questions, network.heads, seen, strict=True)
    ]


@method(
    "multi-task",
    title="Multi-task",
    summary="one small network for all questions, so that the answers to one teach the others; best where "
    "some have few answers.",
    member="transfer",
    effort=8,
    together=together,
)
def multi_task(data: TrainingData, config: Mapping[str, Any], rng: np.random.Generator) -> Head:
    """One question alone: the same network with one head. The losses are weighed by how uncertain each is."""
    return together([data], config, rng)[0]


def _together_by(combine: str) -> Together:
    def fit(
        questions: Sequence[TrainingData], config: Mapping[str, Any], rng: np.random.Generator
    ) -> list[Head]:
        return together(questions, {"combine": combine, **config}, rng)

    return fit


# Of one question there is nothing to combine: the same network, whatever the way.
method(
    "multi-task-sum",
    title="Multi-task, plain sum",
    summary="as multi-task, but every question counts alike instead of the surer ones more; helps where one "
    "question is hard and matters as much.",
    member="transfer",
    effort=8,
    together=_together_by("sum"),
)(multi_task)
# Yu et al. 2020.
method(
    "multi-task-pcgrad",
    title="Multi-task, PCGrad",
    summary="as multi-task, but what two questions pull in opposite directions is left out; helps where the "
    "answers to one make another worse.",
    member="transfer",
    effort=8,
    together=_together_by("pcgrad"),
)(multi_task)


def _examples(questions: Sequence[TrainingData]) -> tuple[Float32, list[np.ndarray]]:
    """Every example once (n, D), and each question's rows of them."""
    embeddings = np.concatenate([data.embeddings for data in questions])
    if len(questions) == 1 or any(data.items is None for data in questions):
        edges = np.cumsum([0, *(len(data.labels) for data in questions)])
        return embeddings, [np.arange(a, b) for a, b in pairwise(edges.tolist())]
    items = [data.items for data in questions if data.items is not None]
    every, first = np.unique(np.concatenate(items), return_index=True)
    return embeddings[first], [np.searchsorted(every, found) for found in items]


def _axes(z: Float32) -> Float32:
    """The directions (D, d) in which the examples vary most: a solution that fits them lies among these."""
    _, _, axes = np.linalg.svd(z, full_matrices=False)
    return np.ascontiguousarray(axes[:AXES].T, dtype=np.float32)


def _task(data: TrainingData, rows: np.ndarray, seen: np.ndarray) -> Task:
    weight = np.ones(len(rows)) if data.weight is None else data.weight
    return Task(
        rows.astype(np.int64),
        np.eye(len(seen), dtype=np.float32)[np.searchsorted(seen, data.labels)],
        (weight / max(float(weight.sum()), 1e-12)).astype(np.float32),
    )
