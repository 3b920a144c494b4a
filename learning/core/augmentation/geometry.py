"""Where things are: sheared, shifted, turned, mirrored. The spans are those of Cubuk et al. 2018, table 6."""

import math
from typing import TYPE_CHECKING

from learning.core.augmentation.base import Drawn, operation
from learning.core.lazy import lazy

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch", often=False)

vision = lazy("torchvision.transforms.v2.functional", often=False)

SHIFT = 150 / 331  # of the side


def _moved(
    images: "torch.Tensor",
    *,
    angle: float = 0.0,
    shear: tuple[float, float] = (0.0, 0.0),
    centre: list[float] | None = None,
) -> "torch.Tensor":
    ground = _ground(images).float()
    moved = vision.affine(
        images - ground,
        angle=angle,
        translate=[0, 0],
        scale=1.0,
        shear=list(shear),
        interpolation=vision.InterpolationMode.BILINEAR,
        center=centre,
    )
    shown: torch.Tensor = (moved + ground).round().clamp(0, 255).to(torch.uint8)
    return shown


def _ground(images: "torch.Tensor") -> "torch.Tensor":
    """The mean colour of each picture's border, (n, C, 1, 1): what comes into view has it. Black, which is
    usual, is part of some pictures.
    """
    edge = torch.cat([images[..., 0, :], images[..., -1, :], images[..., 0], images[..., -1]], dim=2)
    mean: torch.Tensor = edge.float().mean(dim=2).round().to(torch.uint8)[..., None, None]
    return mean


def _shifted(images: "torch.Tensor", pixels: int, axis: int) -> "torch.Tensor":
    side = images.shape[axis]
    kept = max(0, side - abs(pixels))
    shown = _ground(images).expand_as(images).clone()
    shown.narrow(axis, max(0, pixels), kept).copy_(images.narrow(axis, max(0, -pixels), kept))
    return shown


def _degrees(slope: float) -> float:
    return math.degrees(math.atan(slope))


@operation("shear-x", title="Shear sideways", span=(0.0, 0.3), signed=True)
def shear_x(images: "torch.Tensor", value: float, drawn: Drawn) -> "torch.Tensor":
    """The value is the slope; the upper left corner stays, as in torchvision's policies."""
    return _moved(images, shear=(_degrees(value), 0.0), centre=[0.0, 0.0])


@operation("shear-y", title="Shear upwards", span=(0.0, 0.3), signed=True)
def shear_y(images: "torch.Tensor", value: float, drawn: Drawn) -> "torch.Tensor":
    return _moved(images, shear=(0.0, _degrees(value)), centre=[0.0, 0.0])


@operation("translate-x", title="Shift sideways", span=(0.0, SHIFT), signed=True)
def translate_x(images: "torch.Tensor", value: float, drawn: Drawn) -> "torch.Tensor":
    """The value is a share of the side."""
    return _shifted(images, int(value * images.shape[3]), 3)


@operation("translate-y", title="Shift upwards", span=(0.0, SHIFT), signed=True)
def translate_y(images: "torch.Tensor", value: float, drawn: Drawn) -> "torch.Tensor":
    return _shifted(images, int(value * images.shape[2]), 2)


@operation("rotate", title="Turn", span=(0.0, 30.0), signed=True)
def rotate(images: "torch.Tensor", value: float, drawn: Drawn) -> "torch.Tensor":
    """The value is in degrees, counter-clockwise."""
    return _moved(images, angle=-value)


@operation("mirror", title="Mirror", usual=False)
def mirror(images: "torch.Tensor", value: float, drawn: Drawn) -> "torch.Tensor":
    flipped: torch.Tensor = vision.horizontal_flip(images)
    return flipped


@operation("upside-down", title="Turn upside down", usual=False)
def upside_down(images: "torch.Tensor", value: float, drawn: Drawn) -> "torch.Tensor":
    return images.flip(2, 3)
