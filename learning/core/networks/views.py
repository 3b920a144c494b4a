"""Two views of a picture that show the same thing: what self-supervised learning needs."""

import math

import torch
from torch.nn import functional

from learning.core.augmentation.policy import Augment
from learning.core.networks.network import as_bytes, as_floats

# Nothing here knows a data set; a picture is never mirrored, which makes another letter of some letters.
DEGREES = 15.0
CLOSER, FARTHER = 0.25, 0.15  # less and more of the picture's side is seen
SHIFT = 0.1  # of the side
SHEAR = 0.2
CONTRAST = 0.4
BRIGHTNESS = 0.3
NOISE = 0.05
ERASED = 0.3  # of the side


def view(
    x: torch.Tensor, generator: torch.Generator, strength: float = 1.0, *, grey_noise: bool = False
) -> torch.Tensor:
    """(B, C, S, S) in -1..1 -> another view of each, drawn from the generator; at strength 0 the same."""
    count, side = x.shape[0], x.shape[2]

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.rand((count, *shape), generator=generator) * (high - low) + low

    def around(most: float, *shape: int) -> torch.Tensor:
        return uniform(-strength * most, strength * most, *shape)

    angle = around(DEGREES) * math.pi / 180
    scale = uniform(1 - strength * CLOSER, 1 + strength * FARTHER)
    shear = around(SHEAR)
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 1] = scale * angle.cos(), scale * (shear - angle.sin())
    matrix[:, 1, 0], matrix[:, 1, 1] = scale * angle.sin(), scale * angle.cos()
    matrix[:, :, 2] = around(2 * SHIFT, 2)
    grid = functional.affine_grid(matrix, list(x.shape), align_corners=False)
    seen = functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
    centre = seen.mean(dim=(1, 2, 3), keepdim=True)
    contrast = uniform(1 - strength * CONTRAST, 1 + strength * CONTRAST, 1, 1, 1)
    seen = (seen - centre) * contrast + centre + around(BRIGHTNESS, 1, 1, 1)
    noise = torch.randn((count, 1 if grey_noise else x.shape[1], side, side), generator=generator)
    seen = seen + strength * NOISE * noise
    return torch.where(_hole(count, side, strength * ERASED, generator), centre, seen)


def augmented(x: torch.Tensor, augment: Augment | None, generator: torch.Generator) -> torch.Tensor:
    """(B, 3, S, S) in -1..1, changed by what the project chose; another view where it chose nothing."""
    if augment is None:
        return view(x, generator)
    return as_floats(augment(as_bytes(x), generator))


def pair(x: torch.Tensor, augment: Augment | None, generator: torch.Generator) -> torch.Tensor:
    """Two views of each picture, (2 B, 3, S, S). What the project chose comes before them: alone it may leave
    two pictures alike, and nothing to learn.
    """
    seen = [x if augment is None else augmented(x, augment, generator) for _ in range(2)]
    return torch.cat([view(one, generator) for one in seen])


def _hole(count: int, side: int, most: float, generator: torch.Generator) -> torch.Tensor:
    """A square of at most so much of the side in each picture: bool (B, 1, S, S)."""
    size = torch.rand(count, 1, generator=generator) * most * side
    corner = torch.rand(count, 2, generator=generator) * side
    steps = torch.arange(side).float()
    rows = (steps >= corner[:, :1]) & (steps < corner[:, :1] + size)
    columns = (steps >= corner[:, 1:]) & (steps < corner[:, 1:] + size)
    return (rows[:, :, None] & columns[:, None, :])[:, None]
