from typing import TYPE_CHECKING

from learning.core.backbones.base import backbone
from learning.core.lazy import lazy

if TYPE_CHECKING:
    import torch

network = lazy("learning.core.networks.efficientnet_lite0", often=False)


@backbone("efficientnet-lite0", title="EfficientNet-Lite0 (ImageNet)", input_size=96, features=1280 + 448)
def efficientnet_lite0() -> "torch.nn.Module":
    module: torch.nn.Module = network.build(96)
    return module
