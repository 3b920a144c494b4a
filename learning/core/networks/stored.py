"""A network's weights as bytes, and back."""

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from learning.core.networks.efficientnet_lite0 import EfficientNetLite0
from learning.core.networks.linear import Components, Pixels
from learning.core.networks.network import Network
from learning.core.networks.small_cnn import SmallCnn

KINDS: dict[str, type[SmallCnn | EfficientNetLite0 | Components | Pixels]] = {
    "small-cnn": SmallCnn,
    "efficientnet-lite0": EfficientNetLite0,
    "components": Components,
    "pixels": Pixels,
}


def kind_of(network: Network) -> str:
    return next(name for name, kind in KINDS.items() if type(network) is kind)


def network_bytes(network: Network) -> bytes:
    """Safetensors."""
    return save({name: value.detach().contiguous() for name, value in network.state_dict().items()})


def network_from(kind: str, size: int, weights: bytes) -> Network:
    """Raises ValueError for bytes that are not of such a network."""
    if kind not in KINDS:
        raise ValueError(f"There is no network '{kind}'; there are: {', '.join(KINDS)}.")
    network = KINDS[kind](size)
    try:
        network.load_state_dict(load(weights))
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"These are not the weights of a '{kind}'.") from error
    return network.to(memory_format=torch.channels_last).eval()
