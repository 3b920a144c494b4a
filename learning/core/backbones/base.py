"""A backbone turns an image into features. It is exported to ONNX once and never trained here."""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from learning.core import registry
from learning.core.lazy import lazy

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch", often=False)

Build = Callable[[], "torch.nn.Module"]


@dataclass(frozen=True)
class Backbone:
    name: str
    title: str
    input_size: int  # S: images are S x S
    features: int  # D
    build: Build

    def export(self) -> bytes:
        return export(self.build(), self.input_size)


def export(module: "torch.nn.Module", size: int) -> bytes:
    """Self-contained ONNX: "images" uint8 (B, S, S, 3) -> "features" float32 (B, D).

    The bytes are the same in every process, because artifacts are addressed by digest.
    """
    file = io.BytesIO()
    example = torch.zeros((1, size, size, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        # The TorchScript exporter is deprecated and talks while it folds. Its successor takes 15 s
        # for EfficientNet instead of 1 s, to the same features within 1e-5.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            (example,),
            file,  # type: ignore[arg-type]  # annotated for the successor, which takes paths only
            input_names=["images"],
            output_names=["features"],
            dynamic_axes={"images": {0: "batch"}, "features": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )
    return file.getvalue()


BACKBONES: dict[str, Backbone] = {}


def backbone(name: str, *, title: str, input_size: int, features: int) -> Callable[[Build], Build]:
    """Register a function that builds a module from uint8 images (B, S, S, 3) to float32 features (B, D)."""

    def register(build: Build) -> Build:
        registry.add(BACKBONES, Backbone(name, title, input_size, features, build), "backbone")
        return build

    return register


def prepare(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """An RGB image as (size, size, 3): all of it, in proportion, on mid-grey, which is 0 to the network.

    Nothing is cropped, because what a label is about may be at the edge.
    """
    width, height = image.size
    factor = size / max(width, height)
    fitted = image.resize(
        (max(1, round(width * factor)), max(1, round(height * factor))), Image.Resampling.BICUBIC
    )
    canvas = Image.new("RGB", (size, size), (127, 127, 127))
    canvas.paste(fitted, ((size - fitted.width) // 2, (size - fitted.height) // 2))
    return np.asarray(canvas, dtype=np.uint8)
