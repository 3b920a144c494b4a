from typing import TYPE_CHECKING

from learning.core.backbones.base import backbone
from learning.core.lazy import lazy

if TYPE_CHECKING:
    import torch

linear = lazy("learning.core.networks.linear", often=False)

SIZE = 32


@backbone("pixels", title="Raw pixels", input_size=SIZE, features=3 * (SIZE // 2) ** 2)
def pixels() -> "torch.nn.Module":
    """What a learned backbone must beat."""
    module: torch.nn.Module = linear.Pixels(SIZE)
    return module
