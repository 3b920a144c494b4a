"""Trainings with batches of a given size, looked at on the way: the grid that a choice is measured by."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, takewhile

import numpy as np
import torch
from torch.nn import functional

from benchmarks.pictures import Pictures
from learning.core.batch_size import Choice, choose
from learning.core.children.judge import channels_first
from learning.core.networks.device import free_memory
from learning.core.networks.network import as_floats
from learning.core.networks.pretrain import SIZE
from learning.core.networks.rehearsal import Rehearsal
from learning.core.networks.small_cnn import SmallCnn
from learning.core.policy_search.plan import WIDTHS

USUAL, RATE = 64, 3e-3
ASKED = 500  # test pictures, at each look and at once
ROUNDS = 5  # of timing
CLOSER = 1.15  # each look comes after so many times the steps of the one before


@dataclass(frozen=True)
class Run:
    batch: int
    steps: int
    curve: list[tuple[int, float]]  # steps, accuracy


class Classifier(torch.nn.Module):
    def __init__(self, widths: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.network = SmallCnn(SIZE, widths).to(memory_format=torch.channels_last)
        self.head = torch.nn.Linear(self.network.features, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Floats (n, 1 or 3, S, S) in -1..1 -> (n, K)."""
        found: torch.Tensor = self.head(self.network.embed(x.expand(-1, 3, -1, -1)))
        return found

    @torch.no_grad()
    def accuracy(self, x: torch.Tensor, truth: torch.Tensor) -> float:
        self.eval()
        guess = self(x).argmax(dim=1)
        self.train()
        return float((guess == truth).float().mean())


class Training:
    """Of one network on one set of pictures; the learning rate of a batch follows the square-root rule."""

    def __init__(self, pictures: Pictures, model: str, looked_at: int) -> None:
        order = np.random.default_rng(0).permutation(len(pictures.images))
        images = channels_first(pictures.prepared(SIZE))
        labels = torch.from_numpy(pictures.labels)
        test, known = order[: pictures.test][:ASKED], order[pictures.test :]
        self.x, self.y = as_floats(images[known]), labels[known]
        self.test, self.truth = as_floats(images[test]), labels[test]
        self.classes, self.model, self.looked_at = pictures.classes, model, looked_at

    def run(self, batch: int, seed: int) -> Run:
        network = self._begun(seed)
        optimizer = torch.optim.AdamW(network.parameters(), lr=RATE * float(np.sqrt(batch / USUAL)))
        generator = torch.Generator().manual_seed(seed)
        steps = max(1, self.looked_at // batch)
        looks = {steps, *takewhile(lambda at: at < steps, (round(CLOSER**power) for power in count()))}
        curve: list[tuple[int, float]] = []
        for number in range(1, steps + 1):
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(self._loss(network, batch, generator))
            optimizer.step()
            if number in looks:
                curve.append((number, network.accuracy(self.test, self.truth)))
        return Run(batch, steps, curve)

    def step_seconds(self, sizes: Sequence[int]) -> dict[int, float]:
        """Of each size the quickest of some, timed in turns: what else the machine does is not counted."""
        network = self._begun(0)
        optimizer = torch.optim.AdamW(network.parameters())
        generator = torch.Generator().manual_seed(0)
        taken: dict[int, list[float]] = {size: [] for size in sizes}
        for size in [one for _ in range(ROUNDS) for one in sizes for _ in range(max(1, USUAL // one))]:
            began = time.perf_counter()
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(self._loss(network, size, generator))
            optimizer.step()
            taken[size].append(time.perf_counter() - began)
        return {size: min(seconds) for size, seconds in taken.items()}

    def chosen(self, seed: int) -> Choice:
        network = self._begun(seed)
        generator = torch.Generator().manual_seed(seed)
        rehearsal = Rehearsal(
            lambda batch: self._loss(network, batch, generator), list(network.parameters()), RATE
        )
        return choose(
            rehearsal.step,
            rehearsal.gradient,
            rehearsal.descend,
            pictures=len(self.y),
            looked_at=self.looked_at,
            usual=USUAL,
            rate=RATE,
            memory=free_memory(torch.device("cpu")),
        )

    def _begun(self, seed: int) -> Classifier:
        torch.manual_seed(seed)
        return Classifier(WIDTHS[self.model], self.classes).train()

    def _loss(self, network: Classifier, batch: int, generator: torch.Generator) -> torch.Tensor:
        rows = torch.randint(len(self.y), (batch,), generator=generator)
        return functional.cross_entropy(network(self.x[rows]), self.y[rows])
