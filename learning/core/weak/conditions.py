"""When a rule speaks, as data: each condition is JSON, and holds or does not for every item."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from learning.core.methods.head import unit
from learning.core.weak.patterns import CAP, safe_pattern

ROUNDING = 1e-3  # of distances reckoned in single precision: an example is always near itself

Holds = NDArray[np.bool_]
# Fields that every image has, whatever else is known of it; those of its own go before them.
BUILT_IN = ("file", "format", "width", "height", "bytes")


@dataclass(frozen=True)
class RuleItems:
    """What rules may look at; row i is item i everywhere."""

    ids: Sequence[str]
    metadata: Sequence[Mapping[str, Any]]
    scores: NDArray[np.float64] | None = None  # (n, K), a model's probabilities
    embeddings: NDArray[np.float32] | None = None  # (n, D)
    examples: Mapping[str, NDArray[np.float32]] | None = None  # item -> (D,), for conditions that name one


class Condition(Protocol):
    def holds(self, items: RuleItems) -> Holds: ...


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "contains": lambda found, value: str(value).casefold() in str(found).casefold(),
}
ORDER = ("<", "<=", ">", ">=")


@dataclass(frozen=True)
class MetadataCondition:
    """A field compared with a value: as numbers where both are, else as text. A missing field never holds."""

    field: str
    operator: str
    value: str | float

    def __post_init__(self) -> None:
        if self.operator not in COMPARE:
            raise ValueError(f"There is no operator '{self.operator}'; there are: {', '.join(COMPARE)}.")
        if self.operator in ORDER and number(self.value) is None:
            raise ValueError(f"'{self.operator}' compares numbers, and '{self.value}' is none.")

    def holds(self, items: RuleItems) -> Holds:
        return np.array([self._one(row.get(self.field)) for row in items.metadata], dtype=bool)

    def _one(self, found: object) -> bool:
        if found is None:
            return False
        left, right = number(found), number(self.value)
        if self.operator != "contains" and left is not None and right is not None:
            return COMPARE[self.operator](left, right)
        return self.operator not in ORDER and COMPARE[self.operator](str(found), str(self.value))


def number(value: object) -> float | None:
    if not isinstance(value, str | int | float):
        return None
    try:
        return float(value)
    except (OverflowError, ValueError):
        return None


@dataclass(frozen=True)
class PatternCondition:
    """A safe regular expression found in the first CAP characters of a field."""

    field: str
    pattern: str

    def __post_init__(self) -> None:
        safe_pattern(self.pattern)

    def holds(self, items: RuleItems) -> Holds:
        search = safe_pattern(self.pattern).search
        values = [row.get(self.field) for row in items.metadata]
        return np.array([v is not None and search(str(v)[:CAP]) is not None for v in values], dtype=bool)


@dataclass(frozen=True)
class ScoreCondition:
    """A model gives the label at least this probability."""

    label: int
    at_least: float

    def __post_init__(self) -> None:
        if not 0 <= self.at_least <= 1:
            raise ValueError(f"A score lies between 0 and 1; {self.at_least} does not.")

    def holds(self, items: RuleItems) -> Holds:
        if items.scores is None:
            raise ValueError("There is no model yet whose scores a rule could use.")
        if not 0 <= self.label < items.scores.shape[1]:
            raise ValueError(f"The model has no label number {self.label}.")
        return np.asarray(items.scores[:, self.label] >= self.at_least)


@dataclass(frozen=True)
class NearCondition:
    """Within a distance (0 same, 2 opposite; of embeddings of unit length) of at least one of these items."""

    examples: tuple[str, ...]
    distance: float

    def __post_init__(self) -> None:
        if not self.examples or not 0 <= self.distance <= 2:
            raise ValueError("A rule of nearest examples needs examples, and a distance between 0 and 2.")

    def holds(self, items: RuleItems) -> Holds:
        if items.embeddings is None:
            raise ValueError("The items are not embedded yet, which a rule of nearest examples needs.")
        missing = [name for name in self.examples if name not in (items.examples or {})]
        if missing:
            raise ValueError(f"The example '{missing[0]}' is not there; choose an item of this project.")
        near = unit(np.stack([(items.examples or {})[name] for name in self.examples]))  # (E, D)
        cosine = unit(items.embeddings) @ near.T
        nearest = np.sqrt(np.maximum(2 - 2 * cosine, 0)).min(axis=1)
        return np.asarray(nearest <= self.distance + ROUNDING)
