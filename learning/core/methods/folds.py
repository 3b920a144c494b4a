"""Stratified cross-validation of a method on the labels there are, few as they may be."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from learning.core.methods.base import TrainingData
from learning.core.methods.head import Head

Rows = NDArray[np.int64]


def folds(labels: NDArray[np.int64], count: int, rng: np.random.Generator) -> list[tuple[Rows, Rows]]:
    """(training rows, held-out rows) of at most `count` folds, each class dealt out evenly.

    Every training part holds every class: the only example of a class is never held out, and of several, one
    is always left. Empty when no class has two examples.
    """
    fold = np.full(len(labels), -1)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        if len(rows) > 1:
            # Dealing starts anywhere, or the first fold would get all the small classes.
            fold[rows] = (np.arange(len(rows)) + rng.integers(count)) % count
    return [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(count) if (fold == f).any()]


def held_out_answers(
    fit: Callable[[TrainingData], Head], data: TrainingData, parts: list[tuple[Rows, Rows]]
) -> NDArray[np.bool_]:
    """Was each held-out item answered rightly? One entry for each, fold after fold."""
    return np.concatenate(
        [
            fit(data.rows(training)).logits(data.embeddings[held_out]).argmax(axis=1) == data.labels[held_out]
            for training, held_out in parts
        ]
    )
