from collections.abc import Sequence

import torch

from learning.core.networks.network import Convolutional

WIDTHS = (32, 64, 128)


class SmallCnn(Convolutional):
    """A network for small pictures that a processor trains in a minute or two.

    Three stages of two convolutions with batch normalisation, each half the size of what comes before. S is a
    multiple of 8.
    """

    def __init__(self, size: int, widths: tuple[int, int, int] = WIDTHS) -> None:
        first, second, third = widths
        super().__init__(size, second, third)
        self.first = torch.nn.Sequential(_convolution(3, first, 5, stride=2), _convolution(first, first, 3))
        self.second = torch.nn.Sequential(
            _convolution(first, second, 3, stride=2), _convolution(second, second, 3)
        )
        self.third = torch.nn.Sequential(
            _convolution(second, third, 3, stride=2), _convolution(third, third, 3)
        )

    @property
    def stages(self) -> Sequence[torch.nn.Module]:
        return self.first, self.second, self.third

    def maps(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        second = self.second(self.first(x))
        return second, self.third(second)


def _convolution(before: int, width: int, kernel: int, stride: int = 1) -> torch.nn.Sequential:
    return torch.nn.Sequential(
        torch.nn.Conv2d(before, width, kernel, stride=stride, padding=kernel // 2, bias=False),
        torch.nn.BatchNorm2d(width),
        torch.nn.ReLU(),
    )
