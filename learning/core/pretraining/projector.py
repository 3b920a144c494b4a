"""The head of methods that compare two views: dropped after pretraining."""

from typing import TYPE_CHECKING

from learning.core.lazy import lazy
from learning.core.pretraining.base import Lessons

if TYPE_CHECKING:
    import torch

    from learning.core.networks.network import Network
else:
    torch = lazy("torch", often=False)

WIDTH = 512


def projector(network: "Network", lessons: Lessons) -> "torch.nn.Module":
    width = network.features
    return torch.nn.Sequential(
        torch.nn.Linear(width, WIDTH),
        torch.nn.BatchNorm1d(WIDTH),
        torch.nn.ReLU(),
        torch.nn.Linear(WIDTH, WIDTH),
    )
