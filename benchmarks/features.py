"""What is each way to learn features worth? An ablation: the plain linear classifier on what came out.

Ways that need no labels are compared with an untrained network of the same shape; ways that go on from
features, with these (VICReg). Meta-learning learns from the other data set's labels, and none of its own.
Inductive: the test pictures are seen by nothing before they are measured.
"""

import argparse
import time
from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.label_runs import Chosen, Rows, Split, accuracy, drawn
from benchmarks.pictures import Pictures, digits, larger_sets
from benchmarks.report import Claim, print_report
from learning.core.networks.classifier import embedded
from learning.core.networks.network import Network
from learning.core.networks.pretrain import SIZE, pretrain
from learning.core.networks.small_cnn import SmallCnn
from learning.core.pretraining import PRETRAININGS, Answered, Lessons, Pretraining

COUNTS = (40, 100, 400)
START = "vicreg"
LEAST = 0.0  # points; each way must win somewhere
MOST_OF_ANOTHER = 1_000

Found = dict[int, list[float]]  # accuracy in % at a number of labels, for each seed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.features", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within a minute: digits, one seed, short")
    parser.add_argument("--seeds", type=int, default=2, help="draws of labels (2)")
    options = parser.parse_args()
    config = {"epochs": 1} if options.quick else {}
    sets = [digits(), *larger_sets()]
    torch.set_num_threads(2)
    rows: list[dict[str, object]] = []
    for pictures in sets[:1] if options.quick else sets:
        others = [_answered(one) for one in sets if one is not pictures]
        rows += _ablation(pictures, others, config, 1 if options.quick else options.seeds)
    claims = [
        Claim(
            f"{way.title}: points won at best",
            LEAST,
            max(float(str(row["won"])) for row in rows if row["way"] == way.title),
            "points",
            more_is_better=True,
        )
        for way in PRETRAININGS.values()
    ]
    print_report("features", rows, claims)


def _answered(pictures: Pictures) -> Answered:
    rows = drawn(pictures)[0][:MOST_OF_ANOTHER]
    return Answered(pictures.prepared(SIZE)[rows], pictures.labels[rows])


def _ablation(
    pictures: Pictures, others: list[Answered], config: dict[str, int], seeds: int
) -> Iterator[dict[str, object]]:
    torch.manual_seed(0)
    images = pictures.prepared(SIZE)
    untrained = SmallCnn(SIZE).eval()
    pool = drawn(pictures)[0]
    begun: dict[str, Network] = {}
    nothing = _measured(pictures, untrained, seeds)
    for way in PRETRAININGS.values():
        if not way.from_labels:
            began = time.perf_counter()
            begun[way.name] = pretrain(Lessons(images[pool]), way, config, 0)
            took = time.perf_counter() - began
            yield from _rows(pictures, way, nothing, _measured(pictures, begun[way.name], seeds), took)
    start = begun[START]
    before = _measured(pictures, start, seeds)
    for way in PRETRAININGS.values():
        if way.from_labels:
            after: Found = {count: [] for count in COUNTS}
            began = time.perf_counter()
            for count, seed in ((count, seed) for count in COUNTS for seed in range(seeds)):
                known = _known(pictures, count, seed)
                own = Answered(images[pool[known]], pictures.labels[pool[known]])
                foreign = "episodes" in way.needs
                lessons = Lessons(images[pool], None if foreign else own, tuple(others) if foreign else ())
                grown = pretrain(lessons, way, config, seed, network=start)
                after[count].append(accuracy(Chosen(known, _split(pictures, grown)), "transfer"))
            took = (time.perf_counter() - began) / (len(COUNTS) * seeds)
            yield from _rows(pictures, way, before, after, took)


def _known(pictures: Pictures, count: int, seed: int) -> Rows:
    return np.random.default_rng(seed).permutation(len(drawn(pictures)[0]))[:count]


def _measured(pictures: Pictures, network: Network, seeds: int) -> Found:
    split = _split(pictures, network)
    return {
        count: [accuracy(Chosen(_known(pictures, count, seed), split), "transfer") for seed in range(seeds)]
        for count in COUNTS
    }


def _split(pictures: Pictures, network: Network) -> Split:
    pool, test = drawn(pictures)
    features = embedded(network, pictures.prepared(SIZE))
    labels = pictures.labels
    return Split("", features[pool], labels[pool], features[test], labels[test], pictures.classes)


def _rows(
    pictures: Pictures, way: Pretraining, before: Found, after: Found, seconds: float
) -> Iterator[dict[str, object]]:
    for count in COUNTS:
        yield {
            "data": pictures.name,
            "way": way.title,
            "labels": count,
            "% before": float(np.mean(before[count])),
            "% after": float(np.mean(after[count])),
            "won": round(float(np.mean(after[count]) - np.mean(before[count])), 2),
            "s": seconds,
        }


if __name__ == "__main__":
    main()
