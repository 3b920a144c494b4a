"""Is the measured batch size the right one? Against a grid of sizes, each trained on the same pictures.

Counted is the training time until 95% of the final accuracy, the best that any size of the grid ends with, on
test pictures: the median of seeds in steps, times what a step takes when nothing disturbs it. How many
pictures that takes grows with the batch B as B + the critical batch, which is compared with the noise scale.
The learning rate of every size follows the square-root rule, as that of the chosen one. What is done is kept,
and the same command goes on.
"""

import argparse
from dataclasses import asdict
from itertools import product
from pathlib import Path

import numpy as np
import torch

from benchmarks.batch_grid import Run, Training
from benchmarks.kept import Kept, OutOfTime
from benchmarks.pictures import digits, fashion, larger_sets
from benchmarks.report import Claim, print_report
from learning.core.batch_size import SIZES
from learning.core.policy_search.plan import WIDTHS

FASHION_IMAGES = 6_000
REACHED = 0.95  # of the final accuracy
SOURCES = ("learning/core/networks/*.py", "benchmarks/batch_grid.py", "benchmarks/pictures.py")

Grid = dict[int, list[Run]]  # of each size, seed by seed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batchsize", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within a minute: digits, one model")
    parser.add_argument("--sets", nargs="+", default=["digits", "MNIST-5k", "Fashion-MNIST"])
    parser.add_argument("--models", nargs="+", default=list(WIDTHS), choices=list(WIDTHS))
    parser.add_argument("--looked-at", type=int, default=8_000, help="pictures, of each training (8,000)")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument(
        "--minutes", type=float, default=np.inf, help="begin no further training after so many"
    )
    parser.add_argument(
        "--keep", type=Path, default=Path("var/benchmarks/batchsize"), help="where results are kept"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.quick:
        options.sets, options.models, options.looked_at, options.seeds = ["digits"], ["small"], 4_000, 1
    kept = Kept(options.keep, options.minutes, SOURCES)
    rows: list[dict[str, object]] = []
    claims: list[Claim] = []
    there = (digits(), *larger_sets(), fashion(FASHION_IMAGES))
    asked = [one for one in there if one is not None and one.name in options.sets]
    try:
        for pictures, model in product(asked, options.models):
            training = Training(pictures, model, options.looked_at)
            grid = _grid(training, pictures.name, options.seeds, kept)
            found = _measured(f"{pictures.name}, {model}", training, grid)
            rows += found[0]
            claims += found[1]
    except OutOfTime as over:
        print(over)
    print_report("batchsize", rows, claims)


def _grid(training: Training, name: str, seeds: int, kept: Kept) -> Grid:
    """Raises OutOfTime."""

    def run(size: int, seed: int) -> Run:
        words = ["batch", name, training.model, size, seed, training.looked_at]
        return Run(**kept.value(words, lambda: asdict(training.run(size, seed))))

    return {size: [run(size, seed) for seed in range(seeds)] for size in SIZES}


def _steps_to(accuracy: float, run: Run) -> float:
    """On the line between the first look that finds it and the one before."""
    before, less = 0, 0.0
    for steps, right in run.curve:
        if right >= accuracy:
            return before + (steps - before) * (accuracy - less) / (right - less)
        before, less = steps, right
    return float("inf")


def _critical(grid: Grid, final: float) -> float:
    """McCandlish et al. 2018, equation 2.11: of the line through pictures = S_min (B + critical), where all
    seeds got there; each size counts by the inverse of what it takes.
    """
    pictures = {
        size: size * np.array([_steps_to(REACHED * final, run) for run in runs])
        for size, runs in grid.items()
    }
    there = {size: float(np.median(taken)) for size, taken in pictures.items() if np.isfinite(taken).all()}
    slope, at_none = np.polyfit(list(there), list(there.values()), 1, w=1 / np.array(list(there.values())))
    return float(at_none / slope)


def _measured(where: str, training: Training, grid: Grid) -> tuple[list[dict[str, object]], list[Claim]]:
    training.chosen(0)  # what torch prepares at its first steps
    choices = [training.chosen(seed) for seed in range(len(next(iter(grid.values()))))]
    for choice in choices:
        print(f"{where}: {choice.reason}", flush=True)
    final = max(float(np.median([run.curve[-1][1] for run in runs])) for runs in grid.values())
    taken = training.step_seconds(list(grid))
    reached = {
        size: taken[size] * float(np.median([_steps_to(REACHED * final, run) for run in runs]))
        for size, runs in grid.items()
    }
    seconds = {size: taken[size] * runs[0].steps for size, runs in grid.items()}
    rows: list[dict[str, object]] = [
        {
            "data, model": where,
            "batch": size,
            "chosen": sum(choice.batch == size for choice in choices) or "",
            "s to 95%": reached[size],
            "s in all": seconds[size],
            "final %": 100 * float(np.median([run.curve[-1][1] for run in runs])),
        }
        for size, runs in grid.items()
    ]
    noises = [choice.noise for choice in choices if choice.noise is not None]
    print(
        f"{where}: critical batch by the grid {_critical(grid, final):.0f}, gradient noise scale "
        f"{np.median(noises):.0f} ({min(noises):.0f} to {max(noises):.0f})",
        flush=True,
    )
    ratio = float(np.median([reached[choice.batch] for choice in choices])) / min(reached.values())
    cost = float(np.median([choice.seconds for choice in choices])) / sum(seconds.values())
    return rows, [
        Claim(f"{where}: time to 95% by the chosen batch, of the grid's best", 1.1, ratio, "times"),
        Claim(f"{where}: cost of choosing, of the grid's", 5.0, 100 * cost, "%"),
    ]


if __name__ == "__main__":
    main()
