"""A child: a small network that learns labelled pictures from nothing, augmented by what is to be judged."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from learning.core.augmentation.policy import Augment
from learning.core.networks.network import as_floats
from learning.core.networks.small_cnn import SmallCnn
from learning.core.policy_search.plan import SHRUNK, WIDTHS, ChildPlan

DECAY = 1e-3
SMOOTHING = 0.05
AHEAD = 1024  # pictures augmented at once: few calls for many small pictures
ANSWERED = 512  # pictures answered at once


class ChildDiverged(Exception):
    """The loss is not finite any more."""


@dataclass(frozen=True)
class Child:
    network: SmallCnn
    head: torch.nn.Linear
    shrunk: int = 1

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Floats (n, 1 or 3, S, S) in -1..1 -> (n, K)."""
        if self.shrunk > 1:
            x = functional.avg_pool2d(x, self.shrunk)
        found: torch.Tensor = self.head(self.network.embed(x.expand(-1, 3, -1, -1)))
        return found

    @torch.no_grad()
    def logits(self, images: torch.Tensor) -> NDArray[np.float32]:
        """uint8 (n, 1 or 3, S, S) -> (n, K)."""
        self.network.eval()
        parts = [self(as_floats(one)) for one in torch.split(images, ANSWERED)]
        return np.asarray(torch.cat(parts).numpy(), np.float32)


def child_train(
    images: torch.Tensor,
    labels: torch.Tensor,
    classes: int,
    augment: Augment,
    plan: ChildPlan,
    seed: int,
) -> Child:
    """uint8 (n, 1 or 3, S, S) and their labels (n,) -> a child that has looked at `plan.looked_at` pictures.

    The same in every process with the same number of threads. Raises ChildDiverged.
    """
    generator = torch.Generator().manual_seed(seed)
    shrunk = SHRUNK[plan.size]
    network = SmallCnn(images.shape[3] // shrunk, WIDTHS[plan.size])
    network = network.to(memory_format=torch.channels_last)
    head = torch.nn.Linear(network.features, classes)
    for module in [*network.modules(), head]:
        _begin(module, generator)
    child = Child(network.train(), head, shrunk)
    batch = min(plan.batch, len(images))
    steps = max(1, plan.looked_at // batch)
    learned = [*network.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(learned, weight_decay=DECAY, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.rate, total_steps=steps + 1)
    epochs = [
        torch.randperm(len(images), generator=generator) for _ in range(-(-steps * batch // len(images)))
    ]
    rows = torch.cat(epochs)[: steps * batch]
    total = torch.zeros(())
    for ahead in torch.split(rows, AHEAD // batch * batch):
        x = as_floats(augment(images[ahead], generator)).contiguous(memory_format=torch.channels_last)
        for some, asked in zip(torch.split(x, batch), torch.split(labels[ahead], batch), strict=True):
            optimizer.zero_grad(set_to_none=True)
            loss = functional.cross_entropy(child(some), asked, label_smoothing=SMOOTHING)
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            total += loss.detach()
        if not torch.isfinite(total):
            raise ChildDiverged("The child's loss is not finite any more.")
    return child


def _begin(module: torch.nn.Module, generator: torch.Generator) -> None:
    """As torch begins layers, but not from its global generator, which the threads of a process share."""
    if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
        torch.nn.init.kaiming_uniform_(module.weight, math.sqrt(5), generator=generator)
        if module.bias is not None:
            torch.nn.init.zeros_(module.bias)
