"""The head of methods that compare two views: dropped after pretraining."""

from typing import TYPE_CHECKING

from learning.core.lazy import lazy

if TYPE_CHECKING:
    import torch

    from learning.core.networks.small_cnn import SmallCnn
else:
    torch = lazy("torch", often=False)

WIDTH = 512


def projector(network: "SmallCnn") -> "torch.nn.Module":
    width = network.features
    return torch.nn.Sequential(
        torch.nn.Linear(width, WIDTH),
        torch.nn.BatchNorm1d(WIDTH),
        torch.nn.ReLU(),
        torch.nn.Linear(WIDTH, WIDTH),
    )
