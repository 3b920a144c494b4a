"""Stratified cross-validation of a method on the labels there are, few as they may be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from learning.core.evaluation import fit_temperature
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


@dataclass(frozen=True)
class HeldOut:
    """What heads say of items they did not learn from, fold after fold."""

    logits: NDArray[np.float32]  # (m, K)
    labels: NDArray[np.int64]  # (m,)

    @property
    def right(self) -> NDArray[np.bool_]:
        """(m,): is the likeliest class the true one?"""
        return np.asarray(self.logits.argmax(axis=1) == self.labels)

    @property
    def each(self) -> NDArray[np.float64]:
        """The logarithm of the probability given to the true class, (m,); 0 is the best.

        With few labels it tells two kinds of features apart where both answer as many rightly. The
        probabilities are calibrated first, so that it does not reward features for the scale of their logits.
        """
        scaled = self.logits.astype(np.float64) / fit_temperature(self.logits, self.labels)
        found: NDArray[np.float64] = log_softmax(scaled, axis=1)[np.arange(len(self.labels)), self.labels]
        return found

    @property
    def likelihood(self) -> float:
        """The mean of `each`."""
        return float(self.each.mean())


def best_of(found: Sequence[HeldOut]) -> tuple[int, bool]:
    """Of several kinds of features that answered the same labels, the first of which is in use: the place of
    the one by which they are likeliest, and whether it leads by more than the standard error of the
    difference, label by label. If not, the one in use had better stay: labels that were asked for by what it
    is unsure of are harder for it than for others.
    """
    best = int(np.argmax([one.likelihood for one in found]))  # of equals the first
    ahead = found[best].each - found[0].each
    if best == 0 or len(ahead) < 2:
        return best, best == 0
    return best, bool(ahead.mean() > ahead.std(ddof=1) / np.sqrt(len(ahead)))


def held_out(
    fit: Callable[[TrainingData], Head], data: TrainingData, parts: list[tuple[Rows, Rows]]
) -> HeldOut:
    """Learn from the first rows of each part, ask the second ones. Raises ValueError without a part."""
    logits = [fit(data.rows(learned)).logits(data.embeddings[asked]) for learned, asked in parts]
    return HeldOut(np.concatenate(logits), np.concatenate([data.labels[asked] for _, asked in parts]))


def cross_fitted(
    fit: Callable[[TrainingData], Head], data: TrainingData, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Logits (n, K) of each labelled row by a head that did not learn from it, and which rows (n,) have any.

    Rows without are 0: the only example of a class, and what only rules say something of.
    """
    logits = np.zeros((len(data.labels), data.classes), np.float32)
    held = np.zeros(len(data.labels), dtype=bool)
    people = np.flatnonzero(data.labels != NO_LABEL)
    for _, asked in folds(data.labels[people], count, rng):
        rows = people[asked]
        training = np.setdiff1d(np.arange(len(data.labels)), rows)
        logits[rows] = fit(data.rows(training)).logits(data.embeddings[rows])
        held[rows] = True
    return logits, held
