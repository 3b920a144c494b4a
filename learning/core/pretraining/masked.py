from typing import TYPE_CHECKING, cast

from learning.core.lazy import lazy
from learning.core.pretraining.base import Lessons, Step, pretraining

if TYPE_CHECKING:
    import torch

    from learning.core.networks.network import Convolutional, Network
else:
    torch = lazy("torch", often=False)

PATCH = 4  # pixels
HIDDEN = 0.6  # of the patches, as in SimMIM


def decoder(network: "Network", lessons: Lessons) -> "torch.nn.Module":
    """From the last maps (B, C, S/8, S/8) to pixels (B, 3, S, S)."""
    last = cast("Convolutional", network).channels[1]
    return torch.nn.Sequential(torch.nn.Conv2d(last, 3 * 8 * 8, 1), torch.nn.PixelShuffle(8))


@pretraining(
    "masked",
    title="Masked prediction",
    summary="learns to fill in hidden parts of a picture; helps where turning or shifting a picture changes "
    "what it shows.",
    head=decoder,
)
def masked(network: "Network", head: "torch.nn.Module", step: Step) -> "torch.Tensor":
    """SimMIM (Xie et al. 2022): hide patches, predict their pixels; the mean absolute error on those."""
    x = step.x
    side = x.shape[2] // PATCH
    hidden = torch.rand((len(x), 1, side, side), generator=step.generator) < HIDDEN
    hidden = hidden.repeat_interleave(PATCH, dim=2).repeat_interleave(PATCH, dim=3)
    x, hidden = network.put(x), network.put(hidden)
    _, last = cast("Convolutional", network).maps(torch.where(hidden, 0.0, x))
    wrong = (head(last) - x).abs() * hidden
    loss: torch.Tensor = wrong.sum() / (3 * hidden.sum()).clamp(min=1)
    return loss
