"""Self-supervised pretraining: a network learns from pictures without a label, and becomes a backbone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from learning.core import registry

if TYPE_CHECKING:
    import torch

    from learning.core.networks.small_cnn import SmallCnn

# A head on the network, and the loss of a batch (B, 3, S, S) of floats in -1..1.
Head = Callable[["SmallCnn"], "torch.nn.Module"]
Loss = Callable[["SmallCnn", "torch.nn.Module", "torch.Tensor", "torch.Generator"], "torch.Tensor"]


@dataclass(frozen=True)
class Pretraining:
    name: str
    title: str
    summary: str  # one sentence for the page that offers it: when it helps
    head: Head
    loss: Loss


PRETRAININGS: dict[str, Pretraining] = {}


def pretraining(name: str, *, title: str, summary: str, head: Head) -> Callable[[Loss], Loss]:
    """Register a loss. It draws from the generator it is given only."""

    def register(loss: Loss) -> Loss:
        registry.add(PRETRAININGS, Pretraining(name, title, summary, head, loss), "pretraining")
        return loss

    return register
