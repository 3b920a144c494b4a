from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch.nn import functional


class Network(torch.nn.Module, ABC):
    """A backbone that can still be trained: pictures in, features out."""

    def __init__(self, size: int, features: int) -> None:
        super().__init__()
        self.size = size  # S
        self.features = features  # D

    @property
    @abstractmethod
    def stages(self) -> Sequence[torch.nn.Module]:
        """Its parts, from what sees pixels to what sees things."""

    @abstractmethod
    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Floats (B, 3, S, S) in -1..1 -> (B, D)."""

    def put(self, some: torch.Tensor) -> torch.Tensor:
        """The tensor where the network is. Pictures are drawn and changed on the processor, by which what is
        drawn is the same with a GPU and without.
        """
        return some.to(next(self.parameters()).device)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 (B, S, S, 3) -> (B, D)."""
        return self.embed(pixels(images))


class Convolutional(Network):
    """Its features are the averages of the last stage, and those of a middle one over its four quarters: what
    is in the picture, and where.
    """

    def __init__(self, size: int, middle: int, last: int) -> None:
        super().__init__(size, last + 4 * middle)
        self.channels = middle, last

    @abstractmethod
    def maps(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Floats (B, 3, S, S) in -1..1 -> the maps of a middle stage and of the last, (B, C, ., .) each."""

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        middle, last = self.maps(x)
        quarters = functional.avg_pool2d(middle, middle.shape[3] // 2).flatten(1)
        return torch.cat([last.mean(dim=(2, 3)), quarters], dim=1)


def pixels(images: torch.Tensor) -> torch.Tensor:
    """uint8 (B, S, S, 3) -> floats (B, 3, S, S) in -1..1."""
    return as_floats(images.permute(0, 3, 1, 2))


def as_floats(images: torch.Tensor) -> torch.Tensor:
    """uint8 -> floats in -1..1, of the same shape."""
    return images.float() / 127.5 - 1.0


def as_bytes(x: torch.Tensor) -> torch.Tensor:
    """Floats in -1..1 -> uint8, of the same shape; what lies outside is cut off."""
    return ((x + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)
