"""A batch in which every picture has an operation of its own, done with few calls."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from learning.core.augmentation.base import OPERATIONS, Drawn
from learning.core.lazy import lazy

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch", often=False)

Choice = tuple[str, float]  # an operation's name and its value


def apply_each(
    images: "torch.Tensor", choices: Sequence[Choice | None], generator: "torch.Generator"
) -> "torch.Tensor":
    """Do to picture i what `choices[i]` says, or nothing. uint8 (B, C, S, S) -> a new one of that shape."""
    groups: dict[Choice, list[int]] = {}
    for row, choice in enumerate(choices):
        if choice is not None:
            groups.setdefault(choice, []).append(row)
    return apply_groups(images, [(one, torch.tensor(rows)) for one, rows in groups.items()], generator)


def apply_groups(
    images: "torch.Tensor", groups: Iterable[tuple[Choice, "torch.Tensor"]], generator: "torch.Generator"
) -> "torch.Tensor":
    """Do each choice to the pictures in these rows, (n,), no picture in two groups; a new (B, C, S, S).

    Pictures with the same choice are changed together: a call costs about as much for one small picture as
    for twenty.
    """
    changed = images.clone()
    drawn = Drawn(generator, images)
    for (name, value), rows in groups:
        if len(rows):
            changed[rows] = OPERATIONS[name].apply(images[rows], value, drawn)
    return changed
