from typing import TYPE_CHECKING

from learning.core.lazy import lazy
from learning.core.pretraining.base import pretraining

if TYPE_CHECKING:
    import torch

    from learning.core.networks.small_cnn import SmallCnn
else:
    torch = lazy("torch", often=False)

PATCH = 4  # pixels
HIDDEN = 0.6  # of the patches, as in SimMIM


def decoder(network: "SmallCnn") -> "torch.nn.Module":
    """From the last maps (B, C, S/8, S/8) to pixels (B, 3, S, S)."""
    return torch.nn.Sequential(torch.nn.Conv2d(network.widths[2], 3 * 8 * 8, 1), torch.nn.PixelShuffle(8))


@pretraining(
    "masked",
    title="Masked prediction",
    summary="learns to fill in hidden parts of a picture; helps where turning or shifting a picture changes "
    "what it shows.",
    head=decoder,
)
def masked(
    network: "SmallCnn",
    head: "torch.nn.Module",
    x: "torch.Tensor",
    generator: "torch.Generator",
) -> "torch.Tensor":
    """SimMIM (Xie et al. 2022): hide patches, predict their pixels; the mean absolute error on those."""
    side = x.shape[2] // PATCH
    hidden = torch.rand((len(x), 1, side, side), generator=generator) < HIDDEN
    hidden = hidden.repeat_interleave(PATCH, dim=2).repeat_interleave(PATCH, dim=3)
    _, last = network.maps(torch.where(hidden, 0.0, x))
    wrong = (head(last) - x).abs() * hidden
    loss: torch.Tensor = wrong.sum() / (3 * hidden.sum()).clamp(min=1)
    return loss
