"""Operations on pictures: each changes a group of them in one way, with one strength. C is 1 or 3."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from learning.core import registry

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Drawn:
    """What an operation may use besides the pictures it changes."""

    generator: "torch.Generator"  # all that is drawn is drawn from it
    batch: "torch.Tensor"  # uint8 (B, C, S, S), all pictures of the batch as they came


# uint8 (n, C, S, S), the strength in the operation's unit -> uint8 (n, C, S, S)
Apply = Callable[["torch.Tensor", float, Drawn], "torch.Tensor"]


@dataclass(frozen=True)
class Operation:
    name: str
    title: str
    span: tuple[float, float] | None  # the weakest and the strongest value; None where there is one way only
    signed: bool  # half of the pictures get the value negated
    usual: bool  # part of the search space unless told otherwise
    apply: Apply

    def value(self, magnitude: float) -> float:
        """The strength in the operation's own unit, of a magnitude 0..1."""
        if self.span is None:
            return 0.0
        low, high = self.span
        return low + (high - low) * magnitude


OPERATIONS: dict[str, Operation] = {}


def operation(
    name: str,
    *,
    title: str,
    span: tuple[float, float] | None = None,
    signed: bool = False,
    usual: bool = True,
) -> Callable[[Apply], Apply]:
    """Register a function that changes pictures and leaves its input as it is."""

    def register(apply: Apply) -> Apply:
        registry.add(OPERATIONS, Operation(name, title, span, signed, usual, apply), "operation")
        return apply

    return register
