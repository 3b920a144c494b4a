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

INVARIANCE, VARIANCE, COVARIANCE = 25.0, 25.0, 1.0


@pretraining(
    "vicreg",
    title="VICReg",
    summary="learns what stays the same when a picture is turned and shifted; helps with drawings, signs and "
    "other pictures unlike photographs.",
    head=projector,
    least=256,
)
def vicreg(network: "Network", head: "torch.nn.Module", step: Step) -> "torch.Tensor":
    """Bardes et al. 2022, equation 6."""
    both = views.pair(step.x, step.augment, step.generator)
    first, second = head(network.embed(network.put(both))).chunk(2)
    return terms(first, second)


def terms(first: "torch.Tensor", second: "torch.Tensor") -> "torch.Tensor":
    """25 MSE + 25 (hinge of each deviation at 1) + 1 (squared covariances), of (B, D) and (B, D)."""
    count, width = first.shape
    loss = INVARIANCE * torch.nn.functional.mse_loss(first, second)
    for z in (first, second):
        z = z - z.mean(dim=0)
        deviation = (z.square().sum(dim=0) / (count - 1) + 1e-4).sqrt()
        covariance = z.T @ z / (count - 1)
        off_diagonal = covariance.square().sum() - covariance.diagonal().square().sum()
        loss = loss + VARIANCE / 2 * torch.relu(1 - deviation).mean() + COVARIANCE * off_diagonal / width
    return loss
