"""The training loop of every way to learn features: reports, stops when told, goes on from a checkpoint."""

import copy
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from learning.core.augmentation import Augment
from learning.core.networks.device import finished, training_device
from learning.core.networks.network import Network, pixels
from learning.core.networks.small_cnn import SmallCnn
from learning.core.networks.stored import network_bytes
from learning.core.pretraining.base import Answered, Lessons, Loop, Pretraining, Step

SIZE = 32
EPOCHS = (3, 60)
EPOCH_STEPS = 20  # of a way that draws its own batches
# Shares of a training whose steps tell how long an epoch takes: a late one first, which takes longest where
# stages are trained one after another, then early and late in turn.
TIMED = (0.94, 0.06, 0.69, 0.31, 0.81, 0.19, 0.56, 0.44)
TIMING = 0.1  # of the seconds: what timing them may take
ANYWAY = 15.0  # seconds: an epoch so short is trained, though less be left
TOLD = 2.0  # seconds without a report, within an epoch
DECAY = 1e-4
WARM_UP = 0.1  # of all steps

Report = Callable[[float, str], None]
Keep = Callable[[bytes], None]


@dataclass(frozen=True)
class Plan:
    epochs: int
    steps: int  # of an epoch
    batch: int
    rate: float

    def as_json(self) -> dict[str, float]:
        return {"epochs": self.epochs, "steps": self.steps, "batch": self.batch, "rate": self.rate}


def plan_of(count: int, method: Loop, config: Mapping[str, Any]) -> Plan:
    """What is done with `count` pictures. Raises ValueError for a bad setting."""
    batch = config.get("batch", method.batch if method.draws else min(method.batch, count))
    _whole("batch", batch, 2)
    batch = batch if method.draws else min(batch, count)
    steps = EPOCH_STEPS if method.draws else count // batch
    epochs = config.get("epochs", int(np.clip(round(method.looked_at / (steps * batch)), *EPOCHS)))
    _whole("epochs", epochs, 1)
    rate = config.get("rate", method.rate)
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < 1:
        raise ValueError(f"The setting 'rate' must lie between 0 and 1, not be {rate!r}.")
    return Plan(epochs, steps, batch, float(rate))


def _whole(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"The setting '{name}' must be a whole number from {least} on, not {value!r}.")


def pretrain(
    lessons: Lessons,
    method: Pretraining,
    config: Mapping[str, Any],
    seed: int,
    *,
    network: Network | None = None,
    augment: Augment | None = None,
    report: Report = lambda share, words: None,
    keep: Keep = lambda checkpoint: None,
    checkpoint: bytes | None = None,
) -> Network:
    """Train a network on `lessons`; S is a multiple of 8. It goes on from `network`, which is not changed, or
    begins with a new SmallCnn. `augment` is how pictures are changed, by default to views of them.

    After every epoch `keep` gets a checkpoint (safetensors), and `report(share, words)` is called, which may
    raise to end it, as it is every two seconds of a longer epoch; with a checkpoint a later call goes on, to
    the same network bit for bit. The same
    lessons, config, seed and number of threads give the same network on one kind of machine, where a GPU does
    not train it: its sums come in any order.

    Raises ValueError for pictures that are all the same, lessons that lack what the method needs, a bad
    setting, or a checkpoint of something else.
    """
    _refuse(lessons, method)
    how = method.how
    if not isinstance(how, Loop):
        solved = how(lessons)
        report(1.0, "solved")
        return solved.eval()
    plan = plan_of(len(lessons.pool), how, config)
    recipe = {"method": method.name, "lessons": _digest(lessons, network), "seed": seed, **plan.as_json()}
    made_of = torch.frombuffer(bytearray(json.dumps(recipe).encode()), dtype=torch.uint8)
    generator = torch.Generator().manual_seed(seed)
    grown, head = begun(lessons, how, network, seed)
    parts = torch.nn.ModuleDict({"network": grown, "head": head})
    optimizer = torch.optim.AdamW(_groups(grown, head, plan.rate, how.decay), weight_decay=DECAY)
    done = _restore(checkpoint, made_of, parts, optimizer, generator) if checkpoint else 0
    pool = torch.from_numpy(lessons.pool)
    told = time.monotonic()
    for epoch in range(done, plan.epochs):
        order = torch.randperm(len(pool), generator=generator)
        total = 0.0
        for number in range(plan.steps):
            share = (epoch + number / plan.steps) / plan.epochs
            rows = order[:0] if how.draws else order[number * plan.batch : (number + 1) * plan.batch]
            x = pixels(pool[rows])
            step = Step(x, share, lessons, generator, augment, plan.batch)
            total += _stepped(how, grown, head, optimizer, step)
            if number + 1 < plan.steps and time.monotonic() - told >= TOLD:
                words = f"epoch {epoch + 1} of {plan.epochs}, step {number + 1} of {plan.steps}"
                report((epoch + (number + 1) / plan.steps) / plan.epochs, words)
                told = time.monotonic()
        if not np.isfinite(total):
            raise ValueError(
                f"The loss is not finite any more in epoch {epoch + 1}: try another batch, or way."
            )
        keep(_checkpoint(made_of, epoch + 1, parts, optimizer, generator))
        words = f"epoch {epoch + 1} of {plan.epochs}, loss {total / plan.steps:.3f}"
        report((epoch + 1) / plan.epochs, words)
        told = time.monotonic()
    return how.result(grown, head).cpu().eval().requires_grad_(False)


def begun(lessons: Lessons, how: Loop, network: Network | None, seed: int) -> tuple[Network, torch.nn.Module]:
    """The network that is trained, a copy or a new one, and its head."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        grown = copy.deepcopy(network) if network else SmallCnn(lessons.pool.shape[1])
        device = training_device()
        # Channels last is a sixth quicker on a processor.
        grown = grown.to(device).to(memory_format=torch.channels_last).requires_grad_(True)
        return grown, how.head(grown, lessons).to(device)


def epochs_within(
    seconds: float,
    lessons: Lessons,
    method: Pretraining,
    config: Mapping[str, Any],
    network: Network | None,
    augment: Augment | None = None,
) -> int:
    """How many epochs fit into what is left of `seconds` once a few steps have been timed on this machine.

    Raises ValueError, with a sentence, where not even one fits, unless it is a short one.
    """
    _refuse(lessons, method)
    how = method.how
    if not isinstance(how, Loop):
        return 1
    began = time.perf_counter()
    plan = plan_of(len(lessons.pool), how, config)
    generator = torch.Generator().manual_seed(0)
    grown, head = begun(lessons, how, network, 0)
    optimizer = torch.optim.AdamW(_groups(grown, head, plan.rate, how.decay), weight_decay=DECAY)
    pool = torch.from_numpy(lessons.pool)

    def timed(share: float, batch: int) -> float:
        start = time.perf_counter()
        rows = torch.randperm(len(pool), generator=generator)[: 0 if how.draws else batch]
        step = Step(pixels(pool[rows]), share, lessons, generator, augment, batch)
        _stepped(how, grown, head, optimizer, step)
        finished(training_device())
        return time.perf_counter() - start

    # A single step with thousands of pictures may take longer than there is: a usual one foretells it.
    usual = min(plan.batch, how.batch)
    expected = min(timed(TIMED[0], usual) for _ in range(2)) * plan.batch / usual
    many = min(len(TIMED), int(TIMING * seconds / expected))
    took = [timed(share, plan.batch) for share in TIMED[:many]] or [expected]
    epoch = sum(took) / len(took) * plan.steps
    left = max(0.0, seconds - (time.perf_counter() - began))
    if epoch > max(left, ANYWAY):
        smaller = " or choose a smaller batch" if how.draws else ""
        raise ValueError(
            f"An epoch of {plan.steps:,} steps with batches of {plan.batch:,} takes about {epoch:,.0f} "
            f"seconds here, and {left:,.0f} are left for training: give it more minutes{smaller}."
        )
    return max(1, int(left / epoch))


def _refuse(lessons: Lessons, method: Pretraining) -> None:
    images = lessons.pool
    if len(images) < 2:
        raise ValueError(f"Pretraining needs at least two pictures; there are {len(images)}.")
    if (images == images[0]).all():
        raise ValueError("All pictures are the same: there is nothing to learn from them.")
    if lacking := lessons.lacks(method.needs):
        raise ValueError(f"{method.title} needs {lacking}.")


def _stepped(
    how: Loop, network: Network, head: torch.nn.Module, optimizer: torch.optim.Optimizer, step: Step
) -> float:
    """Take a step; its loss."""
    for group in optimizer.param_groups:
        group["lr"] = group["full"] * _warm_cosine(step.share)
    network.train()
    head.train()
    optimizer.zero_grad(set_to_none=True)
    loss = how.loss(network, head, step)
    torch.autograd.backward(loss)
    optimizer.step()
    return float(loss.detach())


def _groups(network: Network, head: torch.nn.Module, rate: float, decay: float) -> list[dict[str, Any]]:
    """The head at the full rate, each stage before it at `decay` times the rate of what follows."""
    modules = [head, *reversed(network.stages)]
    return [
        {"params": trained, "full": rate * decay**depth}
        for depth, module in enumerate(modules)
        if (trained := [one for one in module.parameters() if one.requires_grad])
    ]


def _digest(lessons: Lessons, network: Network | None) -> str:
    found = hashlib.sha256(network_bytes(network) if network else b"")
    known = [lessons.own or Answered(lessons.pool[:0], np.empty(0, np.int64)), *lessons.others]
    for array in (lessons.pool, *(array for one in known for array in (one.images, one.labels))):
        found.update(f"{array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()


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
    return save({name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()})


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
    own = {n.removeprefix("parts."): v for n, v in tensors.items() if n.startswith("parts.")}
    if own.keys() != parts.state_dict().keys():
        raise ValueError("The checkpoint is of another release of this way to learn: begin anew.")
    parts.load_state_dict(own)
    states: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, number, field = name.split(".", 2)
            states.setdefault(int(number), {})[field] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": states})
    generator.set_state(tensors["generator"])
    return int(tensors["done"])
