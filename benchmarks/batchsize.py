"""Is the measured batch size the right one? Against a grid of sizes, each trained on the same pictures.

Counted is the training time until 95% of the final accuracy, the best that any size of the grid ends with, on
test pictures. The learning rate of every size follows the square-root rule, as that of the chosen one.
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from benchmarks.pictures import Pictures, digits, larger_sets
from benchmarks.report import Claim, print_report
from learning.core.batch_size import SIZES, Choice, choose
from learning.core.children.judge import channels_first
from learning.core.networks.network import as_floats
from learning.core.networks.pretrain import SIZE
from learning.core.networks.small_cnn import SmallCnn
from learning.core.policy_search.plan import WIDTHS

REACHED = 0.95  # of the final accuracy
USUAL, RATE = 64, 3e-3
ANSWERED = 512  # test pictures at once
LOOKS = 12  # at the test pictures, in the course of a training


@dataclass(frozen=True)
class Run:
    batch: int
    seconds: float  # of training alone
    curve: list[tuple[float, float]]  # seconds, accuracy

    def reached(self, accuracy: float) -> float:
        return next((at for at, right in self.curve if right >= accuracy), float("inf"))


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
        guess = torch.cat([self(one) for one in torch.split(x, ANSWERED)]).argmax(dim=1)
        return float((guess == truth).float().mean())


class Training:
    def __init__(self, pictures: Pictures, model: str, looked_at: int) -> None:
        order = np.random.default_rng(0).permutation(len(pictures.images))
        images = channels_first(pictures.prepared(SIZE))
        labels = torch.from_numpy(pictures.labels)
        test, known = order[: pictures.test], order[pictures.test :]
        self.x, self.y = as_floats(images[known]), labels[known]
        self.test, self.truth = as_floats(images[test]), labels[test]
        self.classes, self.model, self.looked_at = pictures.classes, model, looked_at

    def begun(self) -> Classifier:
        torch.manual_seed(0)
        return Classifier(WIDTHS[self.model], self.classes).train()

    def run(self, batch: int) -> Run:
        network = self.begun()
        learned = list(network.parameters())
        optimizer = torch.optim.AdamW(learned, lr=RATE * float(np.sqrt(batch / USUAL)))
        generator = torch.Generator().manual_seed(0)
        steps = max(LOOKS, self.looked_at // batch)
        looks = set(np.linspace(0, steps - 1, LOOKS + 1).round().astype(int)[1:].tolist())
        spent, curve = 0.0, []
        for number in range(steps):
            began = time.perf_counter()
            network.train()
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(self._loss(network, batch, generator))
            optimizer.step()
            spent += time.perf_counter() - began
            if number in looks:
                curve.append((spent, network.accuracy(self.test, self.truth)))
        return Run(batch, spent, curve)

    def chosen(self) -> Choice:
        network = self.begun()
        learned = list(network.parameters())
        generator = torch.Generator().manual_seed(1)

        def step(batch: int) -> None:
            for one in learned:
                one.grad = None
            torch.autograd.backward(self._loss(network, batch, generator))

        def gradient(batch: int) -> torch.Tensor:
            step(batch)
            return torch.cat([one.grad.flatten() for one in learned if one.grad is not None])

        return choose(step, gradient, pictures=len(self.y), usual=USUAL, rate=RATE)

    def _loss(self, network: Classifier, batch: int, generator: torch.Generator) -> torch.Tensor:
        rows = torch.randint(len(self.y), (batch,), generator=generator)
        return functional.cross_entropy(network(self.x[rows]), self.y[rows])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batchsize", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within a minute: digits, one model")
    parser.add_argument("--sets", nargs="+", default=["digits", "MNIST-5k"])
    parser.add_argument("--models", nargs="+", default=list(WIDTHS), choices=list(WIDTHS))
    parser.add_argument("--looked-at", type=int, default=20_000, help="pictures, of each training (20,000)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sizes = SIZES[::2] if options.quick else SIZES
    looked_at = 3_000 if options.quick else options.looked_at
    rows: list[dict[str, object]] = []
    claims: list[Claim] = []
    if options.quick:
        options.sets, options.models = ["digits"], ["small"]
    for pictures in [one for one in (digits(), *larger_sets()) if one.name in options.sets]:
        for model in options.models:
            found = _measured(f"{pictures.name}, {model}", Training(pictures, model, looked_at), sizes)
            rows += found[0]
            claims += found[1]
    print_report("batchsize", rows, claims)


def _measured(
    where: str, training: Training, sizes: tuple[int, ...]
) -> tuple[list[dict[str, object]], list[Claim]]:
    training.run(sizes[0] if len(sizes) < len(SIZES) else USUAL)  # what torch prepares at its first steps
    choice = training.chosen()
    print(f"{where}: {choice.reason}", flush=True)
    runs = {size: training.run(size) for size in sorted({*sizes, choice.batch})}
    final = max(run.curve[-1][1] for run in runs.values())
    reached = {size: run.reached(REACHED * final) for size, run in runs.items()}
    rows: list[dict[str, object]] = [
        {
            "data, model": where,
            "batch": size,
            "": "chosen" if size == choice.batch else "",
            "s to 95%": reached[size],
            "s in all": run.seconds,
            "final %": 100 * run.curve[-1][1],
        }
        for size, run in runs.items()
    ]
    best = min(reached[size] for size in sizes)
    cost = choice.seconds / sum(runs[size].seconds for size in sizes)
    return rows, [
        Claim(
            f"{where}: time to 95% by the chosen batch, of the grid's best",
            1.1,
            reached[choice.batch] / best,
            "times",
        ),
        Claim(f"{where}: cost of choosing, of the grid's", 5.0, 100 * cost, "%"),
    ]


if __name__ == "__main__":
    main()
