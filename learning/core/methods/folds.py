"""Stratified cross-validation of a method on the labels there are, few as they may be."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from learning.core.methods.base import NO_LABEL, TrainingData
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


def cross_fitted(
    fit: Callable[[TrainingData], Head], data: TrainingData, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Logits (n, K) of each labelled row by a head that did not learn from it, and which rows (n,) have any.

    Rows without are 0: the only example of a class, and what only rules say something of.
    """
    logits = np.zeros((len(data.labels), data.classes), np.float32)
    held = np.zeros(len(data.labels), dtype=bool)
    people = np.flatnonzero(data.labels != NO_LABEL)
    for _, held_out in folds(data.labels[people], count, rng):
        rows = people[held_out]
        training = np.setdiff1d(np.arange(len(data.labels)), rows)
        logits[rows] = fit(data.rows(training)).logits(data.embeddings[rows])
        held[rows] = True
    return logits, held
