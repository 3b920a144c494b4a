"""How good is a model, honestly: on hold-out labels it never trained on."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, softmax

from learning.core.lazy import lazy

optimize = lazy("scipy.optimize")

BINS = 15
MOST_CELLS = 30  # classes of a confusion table that people can read; of 1,000 it would take megabytes
MOST_MISTAKES = 30
TEMPERATURES = (0.05, 20.0)

Logits = NDArray[np.floating]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Evaluation:
    n: int
    accuracy: float | None
    low: float | None
    high: float | None
    temperature: float
    ece: float | None
    per_class: list[dict[str, int]]  # index, n, correct
    confusion: list[list[int]]  # [truth][prediction]; empty above MOST_CELLS classes
    confused: list[list[int]]  # [truth, prediction, n] of the most frequent mistakes
    reliability: list[dict[str, float]]  # confidence, accuracy, n of each bin that is not empty

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def wilson(correct: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """The score interval of a proportion (Wilson 1927): sensible at 0, at n and for small n."""
    z = float(ndtri((1 + level) / 2))
    p = correct / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)))
    return max(0.0, middle - half), min(1.0, middle + half)


def fit_temperature(logits: Logits, labels: Labels) -> float:
    """The one number that makes probabilities honest (Guo et al. 2017).

    It has the least negative log-likelihood of the best guess being right, not of the true label: hold-out
    items of a class not labelled yet, which no temperature makes likely, would drag it to its bound. A
    standard normal prior on its logarithm, worth less than a label, keeps a few right answers from claiming
    certainty.
    """
    if len(labels) == 0:
        return 1.0
    right = logits.argmax(axis=1) == labels
    below = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)

    def loss(log_temperature: float) -> float:
        best = 1 / np.exp(below / np.exp(log_temperature)).sum(axis=1)  # the softmax of the best guess
        confidence = np.clip(best, 1e-12, 1 - 1e-12)
        return -float(np.log(np.where(right, confidence, 1 - confidence)).sum()) + log_temperature**2 / 2

    bounds = (float(np.log(TEMPERATURES[0])), float(np.log(TEMPERATURES[1])))
    return float(np.exp(optimize.minimize_scalar(loss, bounds=bounds, method="bounded").x))


def evaluate(logits: Logits, labels: Labels) -> Evaluation:
    """`logits` (n, K) of hold-out items and their true `labels` (n,).

    Raises ValueError for logits that are not finite.
    """
    if not np.isfinite(logits).all():
        raise ValueError("The logits hold values that are not finite: the model cannot be judged.")
    n, classes = logits.shape
    guess = logits.argmax(axis=1)
    right = guess == labels
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (labels, guess), 1)
    per_class = [
        {"index": c, "n": int(confusion[c].sum()), "correct": int(confusion[c, c])} for c in range(classes)
    ]
    low, high = wilson(int(right.sum()), n) if n else (None, None)
    confidence = _crossed(logits, labels).max(axis=1) if n else np.empty(0)
    bins = reliability(confidence, right)
    return Evaluation(
        n=n,
        accuracy=float(right.mean()) if n else None,
        low=low,
        high=high,
        temperature=fit_temperature(logits, labels),
        ece=sum(b["n"] * abs(b["accuracy"] - b["confidence"]) for b in bins) / n if n else None,
        per_class=per_class,
        confusion=confusion.tolist() if classes <= MOST_CELLS else [],
        confused=_mistakes(confusion),
        reliability=bins,
    )


def _mistakes(confusion: NDArray[np.int64]) -> list[list[int]]:
    wrong = confusion * (1 - np.eye(len(confusion), dtype=np.int64))
    truth, guess = np.nonzero(wrong)
    order = np.argsort(-wrong[truth, guess], kind="stable")[:MOST_MISTAKES]
    mistakes: list[list[int]] = np.stack([truth, guess, wrong[truth, guess]], axis=1)[order].tolist()
    return mistakes


def _crossed(logits: Logits, labels: Labels) -> NDArray[np.float64]:
    """Probabilities, each half scaled by the temperature of the other: none is judged by its own data."""
    half = np.arange(len(labels)) % 2
    proba = np.empty(logits.shape, dtype=np.float64)
    for side in (0, 1):
        scaled = logits[half == side].astype(np.float64)
        proba[half == side] = softmax(
            scaled / fit_temperature(logits[half != side], labels[half != side]), axis=1
        )
    return proba


def reliability(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Equal-width bins of confidence; the empty ones are left out."""
    which = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        {
            "confidence": float(confidence[which == b].mean()),
            "accuracy": float(right[which == b].mean()),
            "n": int((which == b).sum()),
        }
        for b in range(BINS)
        if (which == b).any()
    ]
