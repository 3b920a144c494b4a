import torch
from torch.nn import functional

WIDTHS = (32, 64, 128)


class SmallCnn(torch.nn.Module):
    """A network for small pictures that a processor trains in a minute or two: uint8 (B, S, S, 3) -> (B, D).

    Three stages of two convolutions with batch normalisation, each half the size of what comes before. The
    features are the averages of the last stage, and those of the second over its four quarters: what is in
    the picture, and where.
    """

    widths = WIDTHS
    features = WIDTHS[2] + 4 * WIDTHS[1]

    def __init__(self, size: int) -> None:
        super().__init__()
        self.quarter = size // 8  # half the second stage's side
        first, second, third = WIDTHS
        self.first = torch.nn.Sequential(_convolution(3, first, 5, stride=2), _convolution(first, first, 3))
        self.second = torch.nn.Sequential(
            _convolution(first, second, 3, stride=2), _convolution(second, second, 3)
        )
        self.third = torch.nn.Sequential(
            _convolution(second, third, 3, stride=2), _convolution(third, third, 3)
        )

    def maps(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Floats (B, 3, S, S) -> the maps of the second stage (B, 64, ...) and of the third (B, 128, ...)."""
        second = self.second(self.first(x))
        return second, self.third(second)

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        second, third = self.maps(x)
        quarters = functional.avg_pool2d(second, self.quarter).flatten(1)
        return torch.cat([third.mean(dim=(2, 3)), quarters], dim=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.embed(pixels(images))


def pixels(images: torch.Tensor) -> torch.Tensor:
    """uint8 (B, S, S, 3) -> floats (B, 3, S, S) in -1..1."""
    return images.permute(0, 3, 1, 2).float() / 127.5 - 1.0


def _convolution(before: int, width: int, kernel: int, stride: int = 1) -> torch.nn.Sequential:
    return torch.nn.Sequential(
        torch.nn.Conv2d(before, width, kernel, stride=stride, padding=kernel // 2, bias=False),
        torch.nn.BatchNorm2d(width),
        torch.nn.ReLU(),
    )
