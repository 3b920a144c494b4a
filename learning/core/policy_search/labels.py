"""Which labels a search works with, and can work with."""

import numpy as np
from numpy.typing import NDArray


def too_few(labels: NDArray[np.int64], classes: int) -> str:
    """Why nothing can be judged on these labels, in a sentence; "" if it can."""
    if len(labels) < classes:
        are = "is 1 label" if len(labels) == 1 else f"are {len(labels)} labels"
        return f"There {are} for {classes} classes: a search needs one of each at least."
    found, counts = np.unique(labels, return_counts=True)
    if len(found) < 2:
        return "All labels are of one class: a policy is judged by telling classes apart, so label another."
    if (counts >= 2).sum() < 2:
        return "No two classes have two labels each, one to learn and one to ask: label more."
    return ""


def part(count: int, fraction: float, seed: int) -> NDArray[np.int64]:
    """The rows of the labels that a search uses, in order: a random part."""
    kept = round(fraction * count)
    if kept >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng([seed, 7]).permutation(count)[:kept])


def evenly(labels: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows, in order, of at most `count` labels, or of two of each class if those are more: two of each that
    has them, then as many of each class as its share.
    """
    count = max(count, 2 * len(np.unique(labels)))
    if count >= len(labels):
        return np.arange(len(labels))
    order = rng.permutation(len(labels))
    share = np.zeros(len(labels))
    for label in np.unique(labels):
        rows = order[labels[order] == label]
        share[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
        share[rows[:2]] = 0.0
    return np.sort(order[np.argsort(share[order], kind="stable")][:count])
