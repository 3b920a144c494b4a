"""A head that learns on together with its network."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from learning.core.methods.head import Head
from learning.core.networks.network import Network

BATCH = 256


class Classifier(torch.nn.Module):
    """A fitted `Head` whose weights are trained further: (B, D) -> logits (B, K)."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.normalise, self.parts = head.normalise, list(head.parts)
        self.centre: torch.Tensor
        self.scale: torch.Tensor
        self.register_buffer("centre", torch.from_numpy(head.centre.copy()))
        self.register_buffer("scale", torch.from_numpy(head.scale.copy()))
        self.weight = torch.nn.Parameter(torch.from_numpy(head.weight.copy()))
        self.bias = torch.nn.Parameter(torch.from_numpy(head.bias.copy()))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        z = (features - self.centre) / self.scale
        if self.normalise:
            parts = torch.split(z, self.parts or [z.shape[1]], dim=1)
            z = torch.cat([functional.normalize(part, dim=1) for part in parts], dim=1)
        return functional.linear(z, self.weight, self.bias)


def embedded(network: Network, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, S, S, 3) -> (n, D), by the network as it stands."""
    training = network.training
    network.eval()
    with torch.no_grad():
        batches = (torch.from_numpy(images[i : i + BATCH]) for i in range(0, len(images), BATCH))
        parts = [network(network.put(one)).cpu() for one in batches]
    network.train(training)
    return np.asarray(torch.cat(parts).numpy(), np.float32)
