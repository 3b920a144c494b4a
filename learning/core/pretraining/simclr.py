from typing import TYPE_CHECKING

from learning.core.lazy import lazy
from learning.core.pretraining.base import Step, pretraining
from learning.core.pretraining.projector import projector

if TYPE_CHECKING:
    import torch

    from learning.core.networks.network import Network
else:
    torch = lazy("torch", often=False)

views = lazy("learning.core.networks.views", often=False)

TEMPERATURE = 0.2


@pretraining(
    "simclr",
    title="SimCLR",
    summary="learns to tell each picture's views from all other pictures; helps where no two pictures are "
    "nearly alike.",
    head=projector,
    least=256,
)
def simclr(network: "Network", head: "torch.nn.Module", step: Step) -> "torch.Tensor":
    """Chen et al. 2020, equation 1 (NT-Xent)."""
    both = views.pair(step.x, step.augment, step.generator)
    return nt_xent(head(network.embed(network.put(both))))


def nt_xent(z: "torch.Tensor") -> "torch.Tensor":
    """(2 B, D), a picture's two views in rows i and B + i -> the mean cross-entropy of finding the other."""
    z = torch.nn.functional.normalize(z, dim=1)
    count = len(z)
    similar = z @ z.T / TEMPERATURE
    similar = similar.masked_fill(torch.eye(count, dtype=torch.bool, device=z.device), float("-inf"))
    other = torch.arange(count, device=z.device).roll(count // 2)
    return torch.nn.functional.cross_entropy(similar, other)
