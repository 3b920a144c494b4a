"""How many labels does an accuracy cost? Strategies with the same final model, on features of two kinds.

Inductive: the test pictures are seen by nothing before they are measured, not even unlabelled. A project's
own features are pretrained on the pool (VICReg), with nothing tuned to a data set. Pool, test set and
pretraining are drawn once, the seeds vary the rest: the errors tell nothing of another draw. The baseline is
what users of modAL do: margin queries and logistic regression on pixels.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from modAL.uncertainty import classifier_margin
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from benchmarks.pictures import Pictures, digits, fashion, larger_sets
from benchmarks.report import Claim, print_report
from learning.core.backbones import BACKBONES
from learning.core.backbones.base import export
from learning.core.cached import CachedClassifier
from learning.core.methods import METHODS, Head, TrainingData, softmax
from learning.core.methods.folds import folds, held_out_answers
from learning.core.networks.pretrain import SIZE, pretrain
from learning.core.pool import Pool
from learning.core.predictor import Embedder
from learning.core.pretraining import PRETRAININGS
from learning.core.strategies import select

CLASSES = 10
STEP = 10  # labels between two rankings
IMAGENET = BACKBONES["efficientnet-lite0"]
FOLDS = 5
CHOSEN = "chosen by held-back labels"
STRATEGIES = ("random", "margin", "typiclust", "badge", "uherding", "auto")
FINAL = "self-training"
AIMS = {  # accuracy in % at a number of labels
    "digits": {30: 95.0},
    "MNIST-5k": {30: 95.0, 80: 97.5, 200: 98.3},
    "Fashion-MNIST": {100: 80.0, 200: 84.0, 500: 87.0},
}
FASHION_IMAGES = 12_000

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Split:
    features: Matrix  # (N, D), of the pool
    labels: NDArray[np.int64]  # (N,)
    test_features: Matrix
    test_labels: NDArray[np.int64]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.labels", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within a minute: digits, one seed")
    parser.add_argument("--seeds", type=int, default=20, help="runs a strategy (20)")
    parser.add_argument("--sets", nargs="+", default=list(AIMS), choices=list(AIMS))
    parser.add_argument("--epochs", type=int, help="of pretraining, instead of the default")
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    claims: list[Claim] = []
    for pictures in _sets(["digits"] if options.quick else options.sets):
        budgets = sorted(AIMS[pictures.name])
        config = {"epochs": 4} if options.quick else {"epochs": options.epochs} if options.epochs else {}
        strategies = ("random", "margin", "auto") if options.quick else STRATEGIES
        seeds = range(1 if options.quick else options.seeds)
        splits = dict(_splits(pictures, config))
        with threadpool_limits(1):
            for kind, split in splits.items():
                for strategy in strategies:
                    found = [run([split], strategy, budgets, seed) for seed in seeds]
                    rows.append(_row(pictures.name, kind, strategy, budgets, found))
            found = [run(list(splits.values()), "auto", budgets, seed) for seed in seeds]
            rows.append(_row(pictures.name, CHOSEN, "auto", budgets, found))
            claims += [
                Claim(
                    f"{pictures.name}, {b} labels, auto, features {CHOSEN}",
                    AIMS[pictures.name][b],
                    float(np.mean([one[b] for one in found])),
                    "%",
                    more_is_better=True,
                )
                for b in budgets
            ]
            found = [as_modal_users_do(pictures, budgets, seed) for seed in seeds]
            rows.append(_row(pictures.name, "pixels", "modAL margin, LogReg", budgets, found))
    print_report("labels", rows, claims)


def _sets(names: list[str]) -> Iterator[Pictures]:
    if "digits" in names:
        yield digits()
    if "MNIST-5k" in names:
        yield from larger_sets()
    found = fashion(FASHION_IMAGES) if "Fashion-MNIST" in names else None
    if found:
        yield found


def _drawn(pictures: Pictures) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the pool and of the test set."""
    order = np.random.default_rng(0).permutation(len(pictures.labels))
    return order[pictures.test :], order[: pictures.test]


def _splits(pictures: Pictures, config: dict[str, int]) -> Iterator[tuple[str, Split]]:
    pool, test = _drawn(pictures)
    own = pictures.prepared(SIZE)
    began = time.perf_counter()
    torch.set_num_threads(2)
    network = pretrain(own[pool], PRETRAININGS["vicreg"], config, 0)
    print(f"{pictures.name}: pretrained on {len(pool):,} pictures in {time.perf_counter() - began:.0f} s")
    vicreg = _embedded(export(network, SIZE), own)
    imagenet = _embedded(IMAGENET.export(), pictures.prepared(IMAGENET.input_size))
    for kind, features in {"ImageNet": imagenet, "VICReg": vicreg}.items():
        labels = pictures.labels
        yield kind, Split(features[pool], labels[pool], features[test], labels[test])


def _embedded(onnx: bytes, images: NDArray[np.uint8]) -> Matrix:
    embedder = Embedder(onnx, threads=2)
    return np.concatenate([embedder.embed(images[i : i + 64]) for i in range(0, len(images), 64)])


def run(splits: list[Split], strategy: str, budgets: list[int], seed: int) -> dict[int, float]:
    """Label STEP by STEP as the strategy ranks, and measure the final model at each budget, in %.

    Of several kinds of features of the same pictures, the one is used at each step that answers most labels
    held back from it, as the product chooses; of equals the first.
    """
    rng = np.random.default_rng(seed)
    known = np.empty(0, np.int64)
    measured: dict[int, float] = {}
    split = splits[0]
    while len(known) < budgets[-1]:
        split = max(splits, key=lambda one: _held_back(one, known)) if len(splits) > 1 else split
        free = np.setdiff1d(np.arange(len(split.labels)), known)
        pool = _pool(split, known, free)
        # Before there is a model, a strategy that needs one falls back to random by itself.
        chosen = select(strategy, pool, STEP, rng).query.indices
        known = np.concatenate([known, free[chosen]])
        if len(known) in budgets:
            measured[len(known)] = _measure(split, known, rng)
    return measured


def _held_back(split: Split, known: NDArray[np.int64]) -> int:
    """Right answers to labels held back from transfer."""
    labels = split.labels[known]
    parts = folds(labels, FOLDS, np.random.default_rng(0)) if len(np.unique(labels)) > 1 else []
    if not parts:
        return 0
    data = TrainingData(split.features[known], labels, CLASSES)
    return int(held_out_answers(_transfer, data, parts).sum())


def _transfer(data: TrainingData) -> Head:
    return METHODS["transfer"].fit(data, {}, np.random.default_rng(0))


def _pool(split: Split, known: NDArray[np.int64], free: NDArray[np.int64]) -> Pool:
    labels = split.labels[known]
    if len(np.unique(labels)) < 2:
        return Pool(len(free), None, split.features[free], labelled_embeddings=split.features[known])
    data = TrainingData(split.features[known], labels, CLASSES)
    head = _transfer(data)
    features = split.features[free]
    return Pool(
        len(free),
        softmax(head.logits(features)),
        features,
        labelled_embeddings=split.features[known],
        labelled_labels=labels,
    )


def _measure(split: Split, known: NDArray[np.int64], rng: np.random.Generator) -> float:
    free = np.setdiff1d(np.arange(len(split.labels)), known)
    data = TrainingData(split.features[known], split.labels[known], CLASSES, unlabelled=split.features[free])
    head = METHODS[FINAL].fit(data, {}, rng)
    return 100 * float((head.logits(split.test_features).argmax(axis=1) == split.test_labels).mean())


def as_modal_users_do(pictures: Pictures, budgets: list[int], seed: int) -> dict[int, float]:
    pool, test = _drawn(pictures)
    pixels = pictures.grey.reshape(len(pictures.grey), -1) / 255.0
    rng = np.random.default_rng(seed)
    known = rng.choice(pool, STEP, replace=False)
    measured: dict[int, float] = {}
    while True:
        model = LogisticRegression(max_iter=300).fit(pixels[known], pictures.labels[known])
        if len(known) in budgets:
            measured[len(known)] = 100 * float(model.score(pixels[test], pictures.labels[test]))
        if len(known) >= budgets[-1]:
            return measured
        free = np.setdiff1d(pool, known)
        margin = classifier_margin(CachedClassifier(model.predict_proba(pixels[free])), np.arange(len(free)))
        known = np.concatenate([known, free[np.argsort(margin, kind="stable")[:STEP]]])


def _row(
    data: str, kind: str, strategy: str, budgets: list[int], found: list[dict[int, float]]
) -> dict[str, object]:
    """Means with the standard error over the seeds."""
    row: dict[str, object] = {"data": data, "features": kind, "strategy": strategy}
    for number, budget in enumerate(budgets, 1):
        values = np.array([one[budget] for one in found])
        error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
        row |= {f"labels {number}": budget, f"% {number}": float(values.mean()), f"s.e. {number}": error}
    return row


if __name__ == "__main__":
    main()
