"""A training method turns labelled embeddings into a head."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.core import registry
from learning.core.methods.head import Head


@dataclass(frozen=True)
class TrainingData:
    """Raises ValueError, with one sentence, for data no method could learn from."""

    embeddings: NDArray[np.float32]  # (n, D)
    labels: NDArray[np.int64]  # (n,), 0..classes-1
    classes: int

    def __post_init__(self) -> None:
        if self.embeddings.ndim != 2:
            raise ValueError(f"Embeddings must be a table (n, D), not of shape {self.embeddings.shape}.")
        if self.labels.shape != (len(self.embeddings),):
            raise ValueError(f"There are {len(self.embeddings)} embeddings but {self.labels.size} labels.")
        if not np.isfinite(self.embeddings).all():
            broken = int((~np.isfinite(self.embeddings).all(axis=1)).sum())
            raise ValueError(f"{broken} embeddings hold values that are not finite: embed these items again.")
        found = np.unique(self.labels)
        if len(found) < 2:
            raise ValueError(f"Training needs labels of at least two classes; there are {len(found)}.")
        if found[0] < 0 or found[-1] >= self.classes:
            raise ValueError(f"Labels must lie in 0..{self.classes - 1}; found {found[0]}..{found[-1]}.")


def positive(config: Mapping[str, Any], name: str, default: float) -> float:
    value = config.get(name, default)
    if not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError(f"The setting '{name}' must be a positive number, not {value!r}.")
    return float(value)


Fit = Callable[[TrainingData, Mapping[str, Any], np.random.Generator], Head]


@dataclass(frozen=True)
class Method:
    name: str
    title: str
    summary: str  # one sentence for the page that offers it: when it helps
    fit: Fit


METHODS: dict[str, Method] = {}


def method(name: str, *, title: str, summary: str) -> Callable[[Fit], Fit]:
    def register(fit: Fit) -> Fit:
        registry.add(METHODS, Method(name, title, summary, fit), "method")
        return fit

    return register


def fit_committee(
    name: str | Method,
    data: TrainingData,
    config: Mapping[str, Any],
    rng: np.random.Generator,
    members: int = 5,
) -> list[Head]:
    """Query by bagging (Abe and Mamitsuka 1998): each member learns from a bootstrap sample.

    The samples are drawn class by class, so that no member loses one.
    """
    chosen = name if isinstance(name, Method) else registry.find(METHODS, name, "method")
    heads = []
    for _ in range(members):
        rows = np.concatenate(
            [rng.choice(found, len(found)) for found in map(np.flatnonzero, _by_class(data)) if len(found)]
        )
        sample = TrainingData(data.embeddings[rows], data.labels[rows], data.classes)
        heads.append(chosen.fit(sample, config, rng))
    return heads


def _by_class(data: TrainingData) -> list[NDArray[np.bool_]]:
    return [data.labels == label for label in range(data.classes)]
