"""How many labels does an accuracy cost? Strategies with the same final model, on the same features.

Inductive: the test pictures are seen by nothing before they are measured, not even unlabelled. Features are
ImageNet's or the project's own (VICReg, on the pool): those by which held-back labels are likeliest. Pool,
test set and pretraining are drawn once, the seeds vary the rest: intervals (95%, bootstrap over the seeds,
paired with random) tell nothing of another draw. Nothing is tuned to a data set.
"""

import argparse
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.label_features import kinds, pretrained, softmatch_accuracy
from benchmarks.label_runs import THEIRS, Chosen, Rows, Split, accuracy, as_modal_users_do, asked, drawn
from benchmarks.pictures import Pictures, digits, fashion, icons, larger_sets
from benchmarks.report import Claim, print_report
from learning.core.networks.network import Network
from learning.core.networks.pretrain import SIZE
from learning.core.pretraining import Answered, Lessons

STRATEGIES = ("margin", "typiclust", "badge", "uherding", "auto")
MODAL = "modAL margin, LogReg on pixels"
TABLE_MODEL = "transfer"
BUDGETS = {
    "digits": (30, 60, 120),
    "MNIST-5k": (30, 80, 200),
    "Fashion-MNIST": (100, 200, 500),
    "icons": (50, 100, 200),
}
AIMS = {  # accuracy in % at a number of labels
    "digits": {30: 95.0},
    "MNIST-5k": {30: 95.0, 80: 97.5, 200: 98.3},
    "Fashion-MNIST": {100: 80.0, 200: 84.0, 500: 87.0},
    "icons": {},
}
SAVING = {"MNIST-5k": 6.0, "Fashion-MNIST": 2.5}
FURTHER = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0)  # of auto's labels, that random is measured at
TOLERATED = -0.5  # points below random
FASHION_IMAGES = 12_000
THEIR_SEEDS = 2
DRAWS = 2_000

Found = dict[int, float]  # accuracy in % at a number of labels
Job = tuple[str, int]  # strategy, seed

_splits: list[Split] = []


@dataclass(frozen=True)
class Run:
    strategy: str
    seed: int
    measured: Found
    known: dict[int, tuple[Rows, str]]  # what was labelled, and on which features


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.labels", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within a minute: digits, one seed")
    parser.add_argument("--seeds", type=int, default=20, help="runs a strategy (20)")
    parser.add_argument("--deep", type=int, default=3, help="of these, how many end with SoftMatch too (3)")
    parser.add_argument("--deep-strategies", nargs="+", default=["auto", "random"], help="whose labels")
    parser.add_argument("--sets", nargs="+", default=list(BUDGETS), choices=list(BUDGETS))
    parser.add_argument("--epochs", type=int, help="of pretraining, instead of the default")
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    claims: list[Claim] = []
    for pictures in _sets(["digits"] if options.quick else options.sets):
        config = {"epochs": 4} if options.quick else {"epochs": options.epochs} if options.epochs else {}
        seeds, deeper = (1, 0) if options.quick else (options.seeds, min(options.deep, options.seeds))
        strategies = ("auto",) if options.quick else (*STRATEGIES, *THEIRS)
        found = _measured(pictures, config, strategies, seeds, deeper, options.deep_strategies)
        rows += found[0]
        claims += found[1]
    print_report("labels", rows, claims)


def _sets(names: list[str]) -> Iterator[Pictures]:
    for name in names:
        if name == "MNIST-5k":
            yield from larger_sets()
        elif found := {"digits": digits, "icons": icons}.get(name, lambda: fashion(FASHION_IMAGES))():
            yield found


def _measured(
    pictures: Pictures,
    config: dict[str, int],
    strategies: Sequence[str],
    seeds: int,
    deep: int,
    deep_strategies: Sequence[str],
) -> tuple[list[dict[str, object]], list[Claim]]:
    budgets = BUDGETS[pictures.name]
    own = pictures.prepared(SIZE)
    pool, test = drawn(pictures)
    network = pretrained(pictures, own[pool], config)
    splits = list(kinds(pictures, network, own))
    jobs = [("random", seed) for seed in range(seeds)]
    jobs += [
        (strategy, seed)
        for strategy in strategies
        for seed in range(min(seeds, THEIR_SEEDS) if strategy in THEIRS else seeds)
    ]
    context = multiprocessing.get_context("spawn")
    began = time.perf_counter()
    with ProcessPoolExecutor(2, context, _begin, (splits,)) as workers:
        runs = list(workers.map(_run, [(pictures.name, *job) for job in jobs]))
    print(f"{pictures.name}: {len(jobs)} projects in {time.perf_counter() - began:.0f} s", flush=True)
    by = {name: [run for run in runs if run.strategy == name] for name in ("random", *strategies)}
    chance = [run.measured for run in by["random"]]
    rows: list[dict[str, object]] = []
    for name, of_it in by.items():
        rows += _rows(pictures.name, name, TABLE_MODEL, budgets, [one.measured for one in of_it], chance)
    modal = [as_modal_users_do(pictures, budgets, seed) for seed in range(seeds)]
    rows += _rows(pictures.name, MODAL, "the same", budgets, modal, chance)
    auto = [run.measured for run in by["auto"]]
    claims = _against_random(pictures.name, budgets, auto, chance)
    deeper = {
        name: _deeper(pictures.name, network, own, (pool, test), splits[0], by[name][:deep])
        for name in deep_strategies
    }
    for name, found in deeper.items():
        compared = deeper.get("random", [{}] * len(found))
        rows += _rows(pictures.name, name, "SoftMatch", budgets, found, compared) if found else []
    claims += [
        Claim(
            f"{pictures.name}, {budget} labels, auto, SoftMatch, {deep} seeds",
            aim,
            float(np.mean([one[budget] for one in deeper["auto"]])),
            "%",
            more_is_better=True,
        )
        for budget, aim in AIMS[pictures.name].items()
        if deeper["auto"]
    ]
    return rows, claims


def _deeper(
    data: str,
    network: Network,
    own: NDArray[np.uint8],
    rows: tuple[Rows, Rows],
    truth: Split,
    runs: Sequence[Run],
) -> list[Found]:
    """The same labels, learned by SoftMatch."""
    pool, test = rows
    found: list[Found] = []
    for run in runs:
        began = time.perf_counter()
        measured = {}
        for budget, (known, _) in run.known.items():
            lessons = Lessons(own[pool], Answered(own[pool[known]], truth.labels[known]))
            measured[budget] = softmatch_accuracy(network, lessons, own[test], truth, known, run.seed)
        took = (time.perf_counter() - began) / len(measured)
        print(f"{data}: {run.strategy}, seed {run.seed}, SoftMatch in {took:.0f} s: {measured}", flush=True)
        found.append(measured)
    return found


def _begin(splits: list[Split]) -> None:
    _splits[:] = splits
    threadpool_limits(1)


def _run(job: tuple[str, str, int]) -> Run:
    data, strategy, seed = job
    budgets = list(BUDGETS[data])
    wanted = _further(budgets, len(_splits[0].labels)) if strategy == "random" else budgets
    found: dict[int, Chosen] = dict(asked(_splits, strategy, wanted, seed))
    return Run(
        strategy,
        seed,
        {budget: accuracy(one, TABLE_MODEL) for budget, one in found.items()},
        {budget: (found[budget].known, found[budget].split.kind) for budget in budgets},
    )


def _further(budgets: Sequence[int], most: int) -> list[int]:
    return sorted({int(b * times) for b in budgets for times in FURTHER if b * times <= most})


def _rows(
    data: str,
    strategy: str,
    model: str,
    budgets: Sequence[int],
    found: Sequence[Found],
    chance: Sequence[Found],
) -> Iterator[dict[str, object]]:
    """One row a budget: mean accuracy, and its difference to random's with an interval."""
    for budget in budgets:
        values = np.array([one[budget] for one in found])
        pairs = values - np.array([one.get(budget, np.nan) for one in chance[: len(found)]])
        low, high = _interval(pairs)
        yield {
            "data": data,
            "strategy": strategy,
            "model": model,
            "seeds": len(found),
            "labels": budget,
            "%": float(values.mean()),
            "- random": float(pairs.mean()),
            "from": low,
            "to": high,
        }


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """95%, of the mean: bootstrap over the seeds."""
    draws = np.random.default_rng(0).choice(values, (DRAWS, len(values))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def _against_random(
    data: str, budgets: Sequence[int], auto: Sequence[Found], chance: Sequence[Found]
) -> list[Claim]:
    """Labels that random needs for auto's accuracy, and how far auto is ever below it."""
    grid = sorted(chance[0])
    curve = np.maximum.accumulate([np.mean([one[b] for one in chance]) for b in grid])
    claims = []
    for budget in budgets:
        reached = float(np.mean([one[budget] for one in auto]))
        if reached > curve[-1]:
            needed, words = float(grid[-1]), f", more than {grid[-1]:,} labels at random"
        else:
            needed, words = float(np.exp(np.interp(reached, curve, np.log(grid)))), ""
        claims.append(
            Claim(
                f"{data}, {budget} labels: those of random, for as much accuracy{words}",
                SAVING.get(data, 1.0),
                needed / budget,
                "times",
                more_is_better=True,
            )
        )
    worst = min(
        float(np.mean([one[b] for one in auto]) - np.mean([one[b] for one in chance])) for b in budgets
    )
    claims.append(
        Claim(
            f"{data}: auto over random at the worst budget", TOLERATED, worst, "points", more_is_better=True
        )
    )
    return claims


if __name__ == "__main__":
    main()
