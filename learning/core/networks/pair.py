from collections.abc import Sequence

import torch
from torch.nn import functional

from learning.core.networks.network import Network


class Pair(Network):
    """Two networks side by side: what one learned elsewhere, and what the other learned from these pictures.

    Pictures come at the size of the larger one; the smaller one sees averages of their pixels. What
    each of them counts is for who learns from the features (`learning.core.methods.standardise`).
    """

    def __init__(self, larger: Network, smaller: Network) -> None:
        """Raises ValueError where the sizes do not divide."""
        if larger.size % smaller.size:
            raise ValueError(f"Pictures of {larger.size} pixels cannot be averaged to {smaller.size}.")
        super().__init__(larger.size, larger.features + smaller.features)
        self.larger, self.smaller = larger, smaller

    @property
    def stages(self) -> Sequence[torch.nn.Module]:
        return self.larger, self.smaller

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        seen = functional.avg_pool2d(x, self.larger.size // self.smaller.size)
        return torch.cat([self.larger.embed(x), self.smaller.embed(seen)], dim=1)
