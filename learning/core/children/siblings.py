"""Children of one trial, trained side by side: one grouped convolution instead of one call for each child."""

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

from learning.core.policy_search.plan import DEPTHS, SHRUNK, WIDTHS

KERNELS = (5, 3, 3)  # of a stage's first convolution


class Siblings(torch.nn.Module):
    """K small networks that share nothing but their calls. Sibling k owns the k-th part of all channels.

    Three stages, each of `DEPTHS[size]` convolutions with batch normalisation and half the size of what
    comes before; the features are those of `Convolutional`. Grey pictures may come with one channel,
    and are learned as if they had three equal ones.
    """

    def __init__(self, size: str, classes: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.count, self.shrunk = len(generators), SHRUNK[size]
        self.convolutions = torch.nn.ParameterList()
        self.norms = torch.nn.ModuleList()
        self.strides: list[int] = []
        before = 3
        for kernel, width in zip(KERNELS, WIDTHS[size], strict=True):
            for place in range(DEPTHS[size]):
                side = 3 if place else kernel
                drawn = [_begun((width, before, side, side), one) for one in generators]
                kept = torch.cat(drawn).contiguous(memory_format=torch.channels_last)
                self.convolutions.append(torch.nn.Parameter(kept))
                self.norms.append(torch.nn.BatchNorm2d(self.count * width))
                self.strides.append(1 if place else 2)
                before = width
        self.middle = 2 * DEPTHS[size] - 1
        features = WIDTHS[size][2] + 4 * WIDTHS[size][1]
        heads = [_begun((classes, features), one).T for one in generators]
        self.heads = torch.nn.Parameter(torch.stack(heads))  # (K, D, classes)
        self.biases = torch.nn.Parameter(torch.zeros(self.count, 1, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Floats (B, K x C, S, S) in -1..1, sibling by sibling, C 1 or 3 -> (K, B, classes)."""
        if self.shrunk > 1:
            x = functional.avg_pool2d(x, self.shrunk)
        grey = x.shape[1] == self.count
        middle = x
        layers = zip(self.convolutions, self.norms, self.strides, strict=True)
        for number, (weights, norm, stride) in enumerate(layers):
            if grey and number == 0:
                weights = weights.sum(dim=1, keepdim=True)
            padding = weights.shape[2] // 2
            x = functional.conv2d(x, weights, stride=stride, padding=padding, groups=self.count)
            x = functional.relu(norm(x))
            if number == self.middle:
                middle = x
        quarters = functional.avg_pool2d(middle, middle.shape[3] // 2)
        features = torch.cat([self._apart(x.mean(dim=(2, 3), keepdim=True)), self._apart(quarters)], dim=2)
        return torch.baddbmm(self.biases, features, self.heads)

    def _apart(self, maps: torch.Tensor) -> torch.Tensor:
        """(B, K x C, h, w) -> (K, B, C x h x w)."""
        return maps.reshape(len(maps), self.count, -1).transpose(0, 1)


def _begun(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """As torch begins layers, but not from its global generator, which the threads of a process share."""
    made = torch.empty(shape)
    torch.nn.init.kaiming_uniform_(made, math.sqrt(5), generator=generator)
    return made
