"""Does an operation turn a picture into one of another class? Upside down, a 6 is a 9."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from learning.core.augmentation import OPERATIONS, Applied, Policy
from learning.core.children.judge import channels_first
from learning.core.evaluation import wilson
from learning.core.pretraining import Answered

SIDE = 12  # by their shapes pictures are compared at this size, in grey, centred, and as bright as each other
CELLS = 4  # by their colours, as means of so many rows and columns
# What tells the classes better decides, if of so many pictures the nearest is of the same class. Otherwise
# pictures that come near another class have not become it.
TOLD = 0.85
CANNOT_TELL = (
    "nothing. Pictures that look alike, by shape or by colour, are too often of different classes to tell "
    "whether an operation makes one class of another"
)
STRENGTH = 0.5  # of the operation's strongest
TOLERATED = 0.15  # the share of a class that may be turned, beyond what lies near another class anyway
LEAST = 4  # pictures of a class, to say anything of it
# The chance that a harmless operation is left out, of all operations and classes together.
FALSE = 0.05
NEAR = 0.99  # the share of pictures that are nearer to their nearest than what still counts as near

# uint8 (n, C, S, S) -> (n, d), in which pictures that look alike are near each other.
View = Callable[[torch.Tensor], NDArray[np.float32]]
# Of each picture the distance (n,) and the row (n,) of the nearest.
Nearest = tuple[NDArray[np.float32], NDArray[np.int64]]


@dataclass(frozen=True)
class Destroys:
    """What an operation does to one class."""

    operation: str
    truth: int
    becomes: int  # the class it is most often turned into
    share: float  # of the class's pictures
    before: float  # the share that lies among another class's pictures as they are

    def words(self, names: Sequence[str]) -> str:
        return (
            f"{OPERATIONS[self.operation].title} makes {self.share:.0%} of '{names[self.truth]}' look like "
            f"another class, mostly '{names[self.becomes]}' ({self.before:.0%} do as they are)"
        )


def destroyed(known: Answered, operations: Sequence[str], seed: int) -> list[Destroys]:
    """The operations that turn much of some class into another, the worst class of each.

    A changed picture counts as turned when the picture nearest to it is of another class, and as near as
    pictures usually are to one another. One that only looks strange is near none, and one that is still
    nearest to what it was made of is what it was: else few labels, whose pictures lie far apart, would tell
    against every operation. None at all are found where nothing is `telling`.
    """
    images = channels_first(known.images)
    view = telling(known)
    if view is None:
        return []
    plain = view(images)
    usual = float(np.quantile(_nearest_other(plain)[0], NEAR))
    before = _turned(_nearest_other(plain), known.labels, usual)
    classes = np.unique(known.labels)
    level = 1 - FALSE / (len(operations) * len(classes))
    found = []
    for name in operations:
        whole = Policy(((Applied(name, 1.0, STRENGTH),),))
        changed = view(whole(images, torch.Generator().manual_seed(seed)))
        after = _turned(_nearest(_squared(changed, plain)), known.labels, usual)
        of_classes = [_of_class(name, int(label), known, before, after, level) for label in classes]
        if hurt := [one for one in of_classes if one is not None]:
            found.append(max(hurt, key=lambda one: one.share - one.before))
    return found


def telling(known: Answered) -> View | None:
    """Shapes or colours, whichever tells the classes; None where neither does."""
    images = channels_first(known.images)
    told: dict[View, float] = {}
    for view in (_shapes, _colours):
        plain = view(images)
        _, row = _nearest_other(plain)
        told[view] = float((known.labels[row] == known.labels).mean())
    best = max(told, key=told.__getitem__)
    return best if told[best] >= TOLD else None


def _of_class(
    name: str,
    label: int,
    known: Answered,
    before: NDArray[np.int64],
    after: NDArray[np.int64],
    level: float,
) -> Destroys | None:
    mine = known.labels == label
    count, turned = int(mine.sum()), after[mine][after[mine] >= 0]
    share, usually = len(turned) / count, float((before[mine] >= 0).mean())
    if count < LEAST or wilson(len(turned), count, level)[0] <= usually + TOLERATED:
        return None
    return Destroys(name, label, int(np.bincount(turned).argmax()), share, usually)


def _turned(nearest: Nearest, labels: NDArray[np.int64], usual: float) -> NDArray[np.int64]:
    """The class that each picture was turned into, (n,); -1 if into none."""
    distance, row = nearest
    other = labels[row]
    return np.where((other != labels) & (distance <= usual), other, -1)


def _nearest_other(plain: NDArray[np.float32]) -> Nearest:
    squared = _squared(plain, plain)
    np.fill_diagonal(squared, np.inf)
    return _nearest(squared)


def _nearest(squared: NDArray[np.float32]) -> Nearest:
    row = squared.argmin(axis=1)
    return np.sqrt(np.maximum(squared[np.arange(len(row)), row], 0)), row


def _squared(changed: NDArray[np.float32], plain: NDArray[np.float32]) -> NDArray[np.float32]:
    """The distances (n, n) of each changed picture to each as it is."""
    lengths = np.square(changed).sum(axis=1)[:, None] + np.square(plain).sum(axis=1)[None]
    return np.asarray(lengths - 2 * changed @ plain.T, np.float32)


def _shapes(images: torch.Tensor) -> NDArray[np.float32]:
    """uint8 (n, C, S, S) -> (n, SIDE^2), the difference to the border's colour, its mass in the middle.

    Of length 1: how bright a drawing is makes it no other, and a paler 9 is no nearer to a 4.
    """
    grey = images.float().mean(dim=1) / 255  # (n, S, S)
    edge = torch.cat([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], dim=1).mean(dim=1)
    drawn = grey - edge[:, None, None]
    mass = drawn.abs() + 1e-6
    steps = torch.arange(grey.shape[1]).float()
    middle = (len(steps) - 1) / 2
    total = mass.sum(dim=(1, 2))
    down = (middle - (mass.sum(dim=2) * steps).sum(dim=1) / total).round().int().tolist()
    right = (middle - (mass.sum(dim=1) * steps).sum(dim=1) / total).round().int().tolist()
    moved = zip(drawn, down, right, strict=True)
    centred = torch.stack([torch.roll(one, (rows, columns), (0, 1)) for one, rows, columns in moved])
    small = functional.interpolate(centred[:, None], (SIDE, SIDE), mode="area")
    return np.asarray(functional.normalize(small.flatten(1)).numpy(), np.float32)


def _colours(images: torch.Tensor) -> NDArray[np.float32]:
    """uint8 (n, C, S, S) -> (n, C * CELLS^2)"""
    return functional.adaptive_avg_pool2d(images.float() / 255, CELLS).flatten(1).numpy()
