"""How many labels does an accuracy cost? Strategies with the same final model, on the same features.

Inductive: the test pictures are seen by nothing before they are measured, not even unlabelled. Features are
ImageNet's, the project's own (VICReg, on the pool), or both: those by which held-back labels are likeliest.
Pool, test set and pretraining are drawn once, the seeds vary the rest: intervals (95%, bootstrap over the
seeds, paired with random) tell nothing of another draw. Nothing is tuned to a data set.
"""

import argparse
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.kept import Kept, OutOfTime
from benchmarks.label_features import ALONE, BESIDE, SOURCES, kinds, pretrained, softmatch_accuracies
from benchmarks.label_runs import THEIRS, Chosen, Split, accuracy, as_modal_users_do, asked, drawn
from benchmarks.label_tables import Found, against_random, table_rows
from benchmarks.photographs import photographs
from benchmarks.pictures import Pictures, digits, fashion, icons, larger_sets
from benchmarks.report import Claim, print_report
from learning.core.networks.network import Network
from learning.core.networks.pretrain import SIZE

STRATEGIES = ("margin", "typiclust", "badge", "uherding", "auto")
MODAL = "modAL margin, LogReg on pixels"
TABLE_MODEL = "transfer"  # of every strategy
PRODUCT = "auto"  # the strategy, and the method that compares all others: without a favourite
BUDGETS = {
    "digits": (30, 60, 120),
    "MNIST-5k": (30, 80, 200),
    "Fashion-MNIST": (100, 200, 500),
    "icons": (50, 100, 200),
    "photographs": (50, 100, 200),
}
AIMS = {  # accuracy in % at a number of labels
    "digits": {30: 95.0},
    "MNIST-5k": {30: 95.0, 80: 97.5, 200: 98.3},
    "Fashion-MNIST": {100: 80.0, 200: 84.0, 500: 87.0},
    "icons": {},
    "photographs": {},
}
FURTHER = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0)  # of auto's labels, that random is measured at
FASHION_IMAGES = 12_000
THEIR_SEEDS = 2

Job = tuple[str, str, int]  # set, strategy, seed
Result = dict[str, Any]  # of a job, as it is kept

_splits: list[Split] = []
_kept: list[Kept] = []


@dataclass(frozen=True)
class Run:
    strategy: str
    seed: int
    measured: Found
    known: dict[int, list[int]]  # what was labelled at a budget
    automatic: Found  # by the automatic method, of the automatic strategy's labels; else empty


@dataclass(frozen=True)
class Asked:
    """What the command line asks of every set."""

    strategies: tuple[str, ...]
    seeds: int
    deep: int  # seeds that end with SoftMatch too
    deep_strategies: tuple[str, ...]
    config: dict[str, int]  # of pretraining
    modal: bool


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.labels", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within a minute: digits, one seed")
    parser.add_argument("--seeds", type=int, default=20, help="runs a strategy (20)")
    parser.add_argument("--deep", type=int, default=3, help="of these, how many end with SoftMatch too (3)")
    parser.add_argument("--deep-strategies", nargs="*", default=["auto", "random"], help="whose labels")
    parser.add_argument("--strategies", nargs="+", default=[*STRATEGIES, *THEIRS, MODAL], help="but random")
    parser.add_argument("--sets", nargs="+", default=list(BUDGETS), choices=list(BUDGETS))
    parser.add_argument("--epochs", type=int, help="of pretraining, instead of the default")
    parser.add_argument(
        "--keep", type=Path, default=Path("var/benchmarks/labels"), help="results as they come"
    )
    parser.add_argument(
        "--minutes", type=float, default=np.inf, help="begin nothing later; run it again then"
    )
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    claims: list[Claim] = []
    asked_for = Asked(
        tuple(one for one in options.strategies if one != MODAL),
        options.seeds,
        min(options.deep, options.seeds),
        tuple(options.deep_strategies),
        {"epochs": options.epochs} if options.epochs else {},
        MODAL in options.strategies,
    )
    if options.quick:
        asked_for = Asked(("auto",), 1, 0, (), {"epochs": 4}, modal=True)
    kept = Kept(options.keep, options.minutes)
    for pictures in _sets(["digits"] if options.quick else options.sets):
        found = _measured(pictures, asked_for, kept)
        rows += found[0]
        claims += found[1]
    print_report("labels", rows, claims)


def _sets(names: list[str]) -> Iterator[Pictures]:
    for name in names:
        if name == "MNIST-5k":
            yield from larger_sets()
            continue
        made = {"digits": digits, "icons": icons, "photographs": photographs}
        if found := made.get(name, lambda: fashion(FASHION_IMAGES))():
            yield found


def _measured(
    pictures: Pictures, asked_for: Asked, kept: Kept
) -> tuple[list[dict[str, object]], list[Claim]]:
    budgets = BUDGETS[pictures.name]
    own = pictures.prepared(SIZE)
    pool, _ = drawn(pictures)
    made = kept.of(SOURCES)
    network = pretrained(pictures, own[pool], asked_for.config, made)
    splits = list(kinds(pictures, network, own, made))
    jobs = [
        (pictures.name, strategy, seed)
        for strategy in ("random", *asked_for.strategies)
        for seed in range(min(asked_for.seeds, THEIR_SEEDS) if strategy in THEIRS else asked_for.seeds)
    ]
    runs = [_run_of(done) for done in _worked(jobs, splits, asked_for, kept)]
    by = {name: [run for run in runs if run.strategy == name] for name in ("random", *asked_for.strategies)}
    chance = [run.measured for run in by["random"]]
    rows: list[dict[str, object]] = []
    for name, of_it in by.items():
        rows += table_rows(pictures.name, name, TABLE_MODEL, budgets, [one.measured for one in of_it], chance)
    if asked_for.modal:
        modal = [_modal(pictures, budgets, seed, kept) for seed in range(asked_for.seeds)]
        rows += table_rows(pictures.name, MODAL, "the same", budgets, modal, chance)
    claims = against_random(pictures.name, budgets, [one.measured for one in by["auto"]], chance)
    automatic = [run.automatic for run in by["auto"]]
    rows += table_rows(pictures.name, "auto", "automatic method", budgets, automatic, chance)
    claims += _aims(pictures.name, "automatic method", automatic)
    deeper = {
        name: [
            _deeper(pictures, network, own, run, asked_for.config, kept) for run in by[name][: asked_for.deep]
        ]
        for name in asked_for.deep_strategies
    }
    for name, every in deeper.items():
        for model in (ALONE, BESIDE) if every else ():
            found = [one[model] for one in every]
            compared = [one[model] for one in deeper.get("random", [])] or [{}] * len(found)
            rows += table_rows(pictures.name, name, model, budgets, found, compared)
            claims += _aims(pictures.name, model, found) if name == "auto" else []
    return rows, claims


def _aims(data: str, model: str, found: Sequence[Found]) -> list[Claim]:
    return [
        Claim(
            f"{data}, {budget} labels, auto, {model}, {len(found)} seeds",
            aim,
            float(np.mean([one[budget] for one in found])),
            "%",
            more_is_better=True,
        )
        for budget, aim in AIMS[data].items()
    ]


def _worked(jobs: list[Job], splits: list[Split], asked_for: Asked, kept: Kept) -> list[Result]:
    """The jobs' results in their order; two at a time, each kept when it is done."""
    context = multiprocessing.get_context("spawn")
    began = time.perf_counter()
    left = [job for job in jobs if not kept.has(_words(job, asked_for.config))]
    if left:
        with ProcessPoolExecutor(2, context, _begin, (splits, kept)) as workers:
            late = [job for job in workers.map(_run, left, [asked_for.config] * len(left)) if job is not None]
        took = time.perf_counter() - began
        print(f"{jobs[0][0]}: {len(left) - len(late)} projects in {took:.0f} s, {len(late)} left", flush=True)
        kept.begin()
    return [kept.value(_words(job, asked_for.config), dict) for job in jobs]


def _words(job: Job, config: dict[str, int]) -> list[object]:
    return [*job, config, *([PRODUCT] if job[1] == PRODUCT else [])]


def _begin(splits: list[Split], kept: Kept) -> None:
    _splits[:] = splits
    _kept[:] = [kept]
    threadpool_limits(1)


def _run(job: Job, config: dict[str, int]) -> Job | None:
    """The job, if there was no time to begin it."""
    try:
        _kept[0].value(_words(job, config), lambda: _project(job))
    except OutOfTime:
        return job
    return None


def _project(job: Job) -> Result:
    data, strategy, seed = job
    budgets = list(BUDGETS[data])
    wanted = _further(budgets, len(_splits[0].labels)) if strategy == "random" else budgets
    found: dict[int, Chosen] = dict(asked(_splits, strategy, wanted, seed))
    return {
        "strategy": strategy,
        "seed": seed,
        "measured": {str(budget): accuracy(one, TABLE_MODEL) for budget, one in found.items()},
        "features": {str(budget): one.split.kind for budget, one in found.items()},
        "known": {str(budget): found[budget].known.tolist() for budget in budgets},
        "automatic": {
            str(budget): accuracy(found[budget], PRODUCT, seed) for budget in budgets if strategy == PRODUCT
        },
    }


def _run_of(done: Result) -> Run:
    return Run(
        done["strategy"],
        done["seed"],
        {int(budget): percent for budget, percent in done["measured"].items()},
        {int(budget): rows for budget, rows in done["known"].items()},
        {int(budget): percent for budget, percent in done["automatic"].items()},
    )


def _modal(pictures: Pictures, budgets: Sequence[int], seed: int, kept: Kept) -> Found:
    found = kept.value(
        [pictures.name, MODAL, seed],
        lambda: {str(budget): one for budget, one in as_modal_users_do(pictures, budgets, seed).items()},
    )
    return {int(budget): percent for budget, percent in found.items()}


def _deeper(
    pictures: Pictures,
    network: Network,
    own: NDArray[np.uint8],
    run: Run,
    config: dict[str, int],
    kept: Kept,
) -> dict[str, Found]:
    """The same labels, learned by SoftMatch; by the model's name."""
    found: dict[str, Found] = {ALONE: {}, BESIDE: {}}
    for budget, rows in run.known.items():

        def measured(budget: int = budget, rows: list[int] = rows) -> dict[str, float]:
            began = time.perf_counter()
            percents = softmatch_accuracies(pictures, network, own, np.array(rows, np.int64), run.seed)
            took = time.perf_counter() - began
            said = ", ".join(f"{model} {percent:.2f}" for model, percent in percents.items())
            print(f"{pictures.name}: {run.strategy}, seed {run.seed}, {budget} labels: {said} ({took:.0f} s)")
            return percents

        words = [pictures.name, "SoftMatch", run.strategy, run.seed, budget, config]
        for model, percent in kept.value(words, measured).items():
            found[model][budget] = percent
    return found


def _further(budgets: Sequence[int], most: int) -> list[int]:
    return sorted({int(b * times) for b in budgets for times in FURTHER if b * times <= most})


if __name__ == "__main__":
    main()
