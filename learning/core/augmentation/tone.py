"""How light and dark are spread. The spans are those of Cubuk et al. 2018, table 6."""

import math
from typing import TYPE_CHECKING

from learning.core.augmentation.base import Drawn, operation
from learning.core.lazy import lazy

if TYPE_CHECKING:
    import torch

vision = lazy("torchvision.transforms.v2.functional", often=False)


@operation("autocontrast", title="Full contrast")
def autocontrast(images: "torch.Tensor", value: float, drawn: Drawn) -> "torch.Tensor":
    changed: torch.Tensor = vision.autocontrast(images)
    return changed


@operation("invert", title="Invert")
def invert(images: "torch.Tensor", value: float, drawn: Drawn) -> "torch.Tensor":
    changed: torch.Tensor = vision.invert(images)
    return changed


@operation("equalize", title="Equalize")
def equalize(images: "torch.Tensor", value: float, drawn: Drawn) -> "torch.Tensor":
    changed: torch.Tensor = vision.equalize(images)
    return changed


@operation("solarize", title="Solarize", span=(1.0, 0.0))
def solarize(images: "torch.Tensor", value: float, drawn: Drawn) -> "torch.Tensor":
    """Pixels from this share of full brightness on are inverted."""
    changed: torch.Tensor = vision.solarize(images, threshold=math.ceil(255 * value))
    return changed


@operation("posterize", title="Fewer shades", span=(8.0, 4.0))
def posterize(images: "torch.Tensor", value: float, drawn: Drawn) -> "torch.Tensor":
    """The value is the number of bits a channel keeps."""
    changed: torch.Tensor = vision.posterize(images, bits=round(value))
    return changed


@operation("contrast", title="Contrast", span=(0.0, 0.9), signed=True)
def contrast(images: "torch.Tensor", value: float, drawn: Drawn) -> "torch.Tensor":
    changed: torch.Tensor = vision.adjust_contrast(images, contrast_factor=1 + value)
    return changed


@operation("color", title="Colour", span=(0.0, 0.9), signed=True)
def color(images: "torch.Tensor", value: float, drawn: Drawn) -> "torch.Tensor":
    changed: torch.Tensor = vision.adjust_saturation(images, saturation_factor=1 + value)
    return changed


@operation("brightness", title="Brightness", span=(0.0, 0.9), signed=True)
def brightness(images: "torch.Tensor", value: float, drawn: Drawn) -> "torch.Tensor":
    changed: torch.Tensor = vision.adjust_brightness(images, brightness_factor=1 + value)
    return changed


@operation("sharpness", title="Sharpness", span=(0.0, 0.9), signed=True)
def sharpness(images: "torch.Tensor", value: float, drawn: Drawn) -> "torch.Tensor":
    changed: torch.Tensor = vision.adjust_sharpness(images, sharpness_factor=1 + value)
    return changed
