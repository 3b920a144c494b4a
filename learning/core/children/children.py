"""Children: small networks that learn labelled pictures from nothing, augmented by what is to be judged."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from learning.core.augmentation.policy import Augment
from learning.core.children.siblings import Siblings
from learning.core.networks.network import as_floats
from learning.core.policy_search.plan import ChildPlan

DECAY = 1e-3
SMOOTHING = 0.05
AHEAD = 2048  # pictures augmented at once: few calls for many small pictures
ANSWERED = 512  # pictures answered at once


class ChildDiverged(Exception):
    """The loss is not finite any more."""


@dataclass(frozen=True)
class Children:
    network: Siblings

    @torch.no_grad()
    def logits(self, images: Sequence[torch.Tensor]) -> list[NDArray[np.float32]]:
        """Each child's own pictures, uint8 (n, 1 or 3, S, S) -> (n, classes) each."""
        self.network.eval()
        most = max(map(len, images))
        # Children answer together; one with fewer pictures answers some twice, which are left out again.
        rows = [torch.arange(most) % len(one) for one in images]
        parts = []
        for start in range(0, most, ANSWERED):
            x = [as_floats(one[row[start : start + ANSWERED]]) for one, row in zip(images, rows, strict=True)]
            parts.append(self.network(torch.cat(x, dim=1)))
        found = torch.cat(parts, dim=1).numpy()
        return [np.asarray(every[: len(one)], np.float32) for every, one in zip(found, images, strict=True)]


def children_train(
    images: Sequence[torch.Tensor],
    labels: Sequence[torch.Tensor],
    classes: int,
    augment: Augment,
    plan: ChildPlan,
    seeds: Sequence[int],
) -> Children:
    """For each child uint8 (n, 1 or 3, S, S), their labels (n,) and a seed -> children that have looked at
    `plan.looked_at` pictures each.

    The same in every process with the same number of threads. Raises ChildDiverged.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    network = Siblings(plan.size, classes, generators).train()
    batch = min(plan.batch, *map(len, labels))
    steps = max(1, plan.looked_at // batch)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=DECAY, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.rate, total_steps=steps + 1)
    rows = [
        _rows(len(mine), steps * batch, generator) for mine, generator in zip(labels, generators, strict=True)
    ]
    total = torch.zeros(())
    for start in range(0, steps * batch, ahead := max(1, AHEAD // batch) * batch):
        now = [mine[start : start + ahead] for mine in rows]
        # Each child's pictures alone: an operation may mix those of a batch, and siblings must not meet.
        seen = [
            as_floats(augment(mine[row], generator))
            for mine, row, generator in zip(images, now, generators, strict=True)
        ]
        x = torch.cat(seen, dim=1).contiguous(memory_format=torch.channels_last)
        asked = torch.stack([mine[row] for mine, row in zip(labels, now, strict=True)])
        for some, truth in zip(torch.split(x, batch), torch.split(asked, batch, dim=1), strict=True):
            optimizer.zero_grad(set_to_none=True)
            found = network(some).flatten(0, 1)
            loss = functional.cross_entropy(found, truth.flatten(), label_smoothing=SMOOTHING)
            # Each child learns from its own mean, however many siblings it has.
            torch.autograd.backward(len(seeds) * loss)
            optimizer.step()
            schedule.step()
            total += loss.detach()
        if not torch.isfinite(total):
            raise ChildDiverged("A child's loss is not finite any more.")
    return Children(network)


def _rows(count: int, wanted: int, generator: torch.Generator) -> torch.Tensor:
    """Epoch after epoch, (wanted,)."""
    epochs = [torch.randperm(count, generator=generator) for _ in range(-(-wanted // count))]
    return torch.cat(epochs)[:wanted]
