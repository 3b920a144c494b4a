"""What a search chooses from."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from learning.core.augmentation import OPERATIONS, Applied, Policy
from learning.core.shown import shown

# A policy as the numbers that make it: operation, probability, magnitude, and so on.
Choices = tuple[int, ...]

USUAL = tuple(name for name, one in OPERATIONS.items() if one.usual)
BINS = (2, 101)
SUB_POLICIES, LENGTH = (1, 25), (1, 4)


@dataclass(frozen=True)
class SearchSpace:
    """Cubuk et al. 2018, section 3: by default 16 operations x 11 probabilities x 10 magnitudes, five
    sub-policies of two operations each.

    Raises ValueError, with a sentence, for a space that cannot be searched.
    """

    operations: tuple[str, ...] = USUAL
    probabilities: int = 11  # evenly from 0 to 1
    magnitudes: int = 10  # evenly from 0 to 1
    sub_policies: int = 5
    length: int = 2  # operations of a sub-policy

    def __post_init__(self) -> None:
        if not self.operations:
            raise ValueError("The search space has no operation: choose at least one.")
        for name in self.operations:
            if not isinstance(name, str) or name not in OPERATIONS:
                raise ValueError(f"There is no operation {shown(name)}; there are: {', '.join(OPERATIONS)}.")
        if len(set(self.operations)) < len(self.operations):
            raise ValueError("The search space names an operation twice: name each once.")
        _within("probabilities", self.probabilities, BINS)
        _within("magnitudes", self.magnitudes, BINS)
        _within("sub-policies", self.sub_policies, SUB_POLICIES)
        _within("operations of a sub-policy", self.length, LENGTH)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many there are to choose from, for each of the policy's choices."""
        one = (len(self.operations), self.probabilities, self.magnitudes)
        return one * (self.sub_policies * self.length)

    def policy(self, choices: Choices) -> Policy:
        """Raises ValueError for choices of another space."""
        sizes = self.sizes
        if len(choices) != len(sizes) or any(
            not 0 <= one < size for one, size in zip(choices, sizes, strict=True)
        ):
            raise ValueError("These are not the choices of a policy of this search space.")
        applied = [self._applied(choices[start : start + 3]) for start in range(0, len(choices), 3)]
        return Policy(
            tuple(
                tuple(applied[start : start + self.length]) for start in range(0, len(applied), self.length)
            )
        )

    def without(self, names: Sequence[str]) -> "SearchSpace":
        kept = tuple(name for name in self.operations if name not in names)
        return SearchSpace(kept, self.probabilities, self.magnitudes, self.sub_policies, self.length)

    def as_json(self) -> dict[str, Any]:
        return {
            one.name: list(value) if isinstance(value := getattr(self, one.name), tuple) else value
            for one in fields(self)
        }

    def _applied(self, three: Sequence[int]) -> Applied:
        which, probability, magnitude = three
        return Applied(
            self.operations[which],
            probability / (self.probabilities - 1),
            magnitude / (self.magnitudes - 1),
        )


def space_from(data: dict[str, Any]) -> SearchSpace:
    """What is not said is as usual. Raises ValueError, with a sentence."""
    given = dict(data)
    if "operations" in given:
        if not isinstance(given["operations"], list | tuple):
            raise ValueError("The operations of a search space are a list of names.")
        given["operations"] = tuple(given["operations"])
    return SearchSpace(**given)


def _within(what: str, value: object, limits: tuple[int, int]) -> None:
    low, high = limits
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(
            f"The number of {what} must be a whole number from {low} to {high}, not {shown(value)}."
        )
