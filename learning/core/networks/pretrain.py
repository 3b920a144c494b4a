"""The training loop of every pretraining method: reports, stops when told, goes on from a checkpoint."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save

from learning.core.networks.small_cnn import SmallCnn, pixels
from learning.core.pretraining.base import Pretraining

SIZE = 32
BATCH = 256
# Pictures looked at in all, when `epochs` is not given: about a minute or two of two cores.
LOOKED_AT = 30_000
EPOCHS = (3, 60)
RATE = 2e-3
DECAY = 1e-4
WARM_UP = 0.1  # of all steps

Report = Callable[[float, str], None]
Keep = Callable[[bytes], None]


@dataclass(frozen=True)
class Plan:
    epochs: int
    batch: int
    rate: float

    def as_json(self) -> dict[str, float]:
        return {"epochs": self.epochs, "batch": self.batch, "rate": self.rate}


def plan_of(count: int, config: Mapping[str, Any]) -> Plan:
    """What is done with `count` pictures. Raises ValueError for too few of them or a bad setting."""
    if count < 2:
        raise ValueError(f"Pretraining needs at least two pictures; there are {count}.")
    default = int(np.clip(round(LOOKED_AT / count), *EPOCHS))
    epochs, batch = config.get("epochs", default), config.get("batch", min(BATCH, count))
    for name, value in (("epochs", epochs), ("batch", batch)):
        least = 2 if name == "batch" else 1
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"The setting '{name}' must be a whole number from {least} on, not {value!r}.")
    rate = config.get("rate", RATE)
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < 1:
        raise ValueError(f"The setting 'rate' must lie between 0 and 1, not be {rate!r}.")
    return Plan(epochs, min(batch, count), float(rate))


def pretrain(
    images: NDArray[np.uint8],
    method: Pretraining,
    config: Mapping[str, Any],
    seed: int,
    *,
    report: Report = lambda share, words: None,
    keep: Keep = lambda checkpoint: None,
    checkpoint: bytes | None = None,
) -> SmallCnn:
    """Train a network on `images` (N, S, S, 3) without a label; S is a multiple of 8.

    After every epoch `keep` gets a checkpoint (safetensors), and `report(share, words)` is called, which may
    raise to end it; with a checkpoint a later call goes on, to the same network bit for bit. The same images,
    config, seed and number of threads give the same network on one kind of machine.

    Raises ValueError for pictures that are all the same, a bad setting, or a checkpoint of something else.
    """
    plan = plan_of(len(images), config)
    if (images == images[0]).all():
        raise ValueError("All pictures are the same: there is nothing to learn from them.")
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        # Channels last is a sixth quicker on a processor.
        network = SmallCnn(images.shape[1]).to(memory_format=torch.channels_last)
        head = method.head(network)
    parts = torch.nn.ModuleDict({"network": network, "head": head}).train()
    steps = len(images) // plan.batch
    optimizer = torch.optim.AdamW(parts.parameters(), lr=plan.rate, weight_decay=DECAY)
    pictures = hashlib.sha256(images.tobytes()).hexdigest()
    recipe = {"method": method.name, "images": pictures, "seed": seed, **plan.as_json()}
    made_of = torch.frombuffer(bytearray(json.dumps(recipe).encode()), dtype=torch.uint8)
    done = _restore(checkpoint, made_of, parts, optimizer, generator) if checkpoint else 0
    data = torch.from_numpy(images)
    for epoch in range(done, plan.epochs):
        order = torch.randperm(len(data), generator=generator)
        total = 0.0
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = plan.rate * _warm_cosine((epoch + step / steps) / plan.epochs)
            x = pixels(data[order[step * plan.batch : (step + 1) * plan.batch]])
            optimizer.zero_grad(set_to_none=True)
            loss = method.loss(network, head, x, generator)
            torch.autograd.backward(loss)
            optimizer.step()
            total += float(loss.detach())
        if not np.isfinite(total):
            raise ValueError(f"The loss is not finite any more in epoch {epoch + 1}: give a smaller 'rate'.")
        keep(_checkpoint(made_of, epoch + 1, parts, optimizer, generator))
        report((epoch + 1) / plan.epochs, f"epoch {epoch + 1} of {plan.epochs}, loss {total / steps:.3f}")
    return network.eval()


def _warm_cosine(share: float) -> float:
    """The rate's course: up over the first tenth, then down along half a cosine (Loshchilov, Hutter 2017)."""
    if share < WARM_UP:
        return (share + 1e-3) / WARM_UP
    return float((1 + np.cos(np.pi * (share - WARM_UP) / (1 - WARM_UP))) / 2)


def _checkpoint(
    made_of: torch.Tensor,
    done: int,
    parts: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> bytes:
    tensors = {f"parts.{name}": value for name, value in parts.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(value) for name, value in state.items()}
    tensors |= {"generator": generator.get_state(), "made_of": made_of, "done": torch.tensor(done)}
    return save({name: value.detach().clone().contiguous() for name, value in tensors.items()})


def _restore(
    checkpoint: bytes,
    made_of: torch.Tensor,
    parts: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> int:
    """How many epochs are done."""
    try:
        tensors = load(checkpoint)
    except SafetensorError as error:
        raise ValueError("The checkpoint is damaged: begin anew.") from error
    if not torch.equal(tensors["made_of"], made_of):
        raise ValueError("The checkpoint is of another pretraining: begin anew.")
    parts.load_state_dict({n.removeprefix("parts."): v for n, v in tensors.items() if n.startswith("parts.")})
    states: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, number, field = name.split(".", 2)
            states.setdefault(int(number), {})[field] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": states})
    generator.set_state(tensors["generator"])
    return int(tensors["done"])
