"""Parts hidden, and pictures mixed."""

from typing import TYPE_CHECKING

from learning.core.augmentation.base import Drawn, operation
from learning.core.lazy import lazy

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch", often=False)

GREY = 127


@operation("cutout", title="Cover a square", span=(0.0, 0.4))
def cutout(images: "torch.Tensor", value: float, drawn: Drawn) -> "torch.Tensor":
    """DeVries and Taylor 2017: a grey square, whose side is this share of the picture's, anywhere in it."""
    count, side = len(images), images.shape[3]
    width = round(value * side)
    corner = (torch.rand(count, 2, generator=drawn.generator) * side).long() - width // 2
    steps = torch.arange(side)
    inside = (steps >= corner[:, :, None]) & (steps < corner[:, :, None] + width)  # (n, 2, S)
    hole = inside[:, 0, :, None] & inside[:, 1, None, :]
    return torch.where(hole[:, None], GREY, images)


@operation("sample-pairing", title="Mix in another picture", span=(0.0, 0.4))
def sample_pairing(images: "torch.Tensor", value: float, drawn: Drawn) -> "torch.Tensor":
    """Inoue 2018: this share is of another picture of the batch; the label stays."""
    rows = torch.randint(len(drawn.batch), (len(images),), generator=drawn.generator)
    mixed = torch.lerp(images.float(), drawn.batch[rows].float(), value)
    return mixed.round().to(torch.uint8)
