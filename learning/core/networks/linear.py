"""What users of plain machine learning begin with: pixels, and their principal components."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from learning.core.lazy import lazy
from learning.core.networks.network import Network

decomposition = lazy("sklearn.decomposition", often=False)

COMPONENTS = 128
FITTED = 5_000  # pictures


class Pixels(Network):
    """The picture at half its size."""

    def __init__(self, size: int) -> None:
        super().__init__(size, 3 * (size // 2) ** 2)

    @property
    def stages(self) -> Sequence[torch.nn.Module]:
        return ()

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        return functional.avg_pool2d(x, 2).flatten(1)


class Components(Network):
    """Pixels along COMPONENTS directions."""

    def __init__(self, size: int) -> None:
        super().__init__(size, COMPONENTS)
        self.linear = torch.nn.Linear(3 * size * size, COMPONENTS)

    @property
    def stages(self) -> Sequence[torch.nn.Module]:
        return (self.linear,)

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.linear(x.flatten(1))
        return found


def principal_components(images: NDArray[np.uint8]) -> Components:
    """The directions along which these (N, S, S, 3) vary most. With fewer than COMPONENTS of them, the last
    features are 0.
    """
    network = Components(images.shape[1]).requires_grad_(False)
    rows = np.random.default_rng(0).permutation(len(images))[:FITTED]
    flat = (images[np.sort(rows)].transpose(0, 3, 1, 2).reshape(len(rows), -1) / 127.5 - 1.0).astype(
        np.float32
    )
    count = min(COMPONENTS, *flat.shape)
    found = decomposition.PCA(count, svd_solver="randomized", random_state=0).fit(flat)
    network.linear.weight.zero_()
    network.linear.weight[:count] = torch.from_numpy(found.components_)
    network.linear.bias.copy_(-network.linear.weight @ torch.from_numpy(found.mean_))
    return network
