"""Several questions about the same digits: each learned from its own answers, or all on one trunk.

Which of ten digits, odd or even, with a loop or without, above 4 or not. Either every answer is missing with
probability 1/2, or the three further questions were added late and have 20 answers each. Accuracies are means
over the questions; differences are paired: the same images, the same answers.
"""

import argparse
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.methods import DataSet, embedded, row
from benchmarks.pictures import digits
from benchmarks.report import Claim, print_report
from learning.core.methods import Head, TrainingData, fit_questions

PLAIN, SHARED = "transfer", "multi-task"
ALONE = f"{SHARED}, each alone"
LATE_ANSWERS = 20
KINDS = ("4 questions, half missing", f"4 questions, 3 with {LATE_ANSWERS} answers")
CLASSES = (10, 2, 2, 2)
Table = NDArray[np.int64]  # (n, Q) answers, -1 where one is missing


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.questions", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within a minute: 2 projects")
    parser.add_argument("--seeds", type=int, default=10, help="projects a number of images (10)")
    parser.add_argument("--images", type=int, nargs="+", default=[40, 100, 400])
    options = parser.parse_args()
    seeds = 2 if options.quick else options.seeds
    rows: list[dict[str, object]] = []
    claims: list[Claim] = []
    with threadpool_limits(1):
        data = embedded(digits())
        for kind in KINDS:
            for count in options.images[:2] if options.quick else options.images:
                found: dict[str, tuple[list[float], list[float]]] = {}
                for seed in range(seeds):
                    for name, accuracy, seconds in project(data, kind, count, seed):
                        of = found.setdefault(name, ([], []))
                        of[0].append(100 * accuracy)
                        of[1].append(seconds)
                rows += [row(kind, count, name, *of, found[PLAIN][0]) for name, of in found.items()]
                for other in (PLAIN, ALONE):
                    over = float(np.mean(np.array(found[SHARED][0]) - np.array(found[other][0])))
                    name = f"{SHARED} over {other}, {kind}, {count} images"
                    claims.append(Claim(name, 0.0, over, "points", more_is_better=True))
    print_report("questions", rows, claims)


def project(data: DataSet, kind: str, count: int, seed: int) -> Iterator[tuple[str, float, float]]:
    """Each way's accuracy on the test images, the mean of the questions, and the seconds of its fits."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(data.labels))
    test, some = order[: data.test], order[data.test :][:count]
    truth = answers(data.labels)
    known = masked(truth[some], kind, rng)
    for name, heads, seconds in learned(data.embeddings[some], known, seed):
        guesses = [head.logits(data.embeddings[test]).argmax(axis=1) for head in heads]
        yield name, float((np.stack(guesses, axis=1) == truth[test]).mean()), seconds


def answers(labels: NDArray[np.int64]) -> Table:
    return np.stack([labels, labels % 2, np.isin(labels, [0, 6, 8, 9]), labels > 4], axis=1).astype(np.int64)


def masked(table: Table, kind: str, rng: np.random.Generator) -> Table:
    known = table.copy()
    if kind == KINDS[0]:
        known[rng.random(known.shape) < 0.5] = -1
    else:
        known[LATE_ANSWERS:, 1:] = -1
    return known


def learned(
    embeddings: NDArray[np.float32], known: Table, seed: int
) -> Iterator[tuple[str, list[Head], float]]:
    """Each way's heads, one a question, and the seconds of all of them together."""
    asked = []
    for column, classes in enumerate(CLASSES):
        rows = np.flatnonzero(known[:, column] >= 0)
        asked.append(TrainingData(embeddings[rows], known[rows, column], classes, items=rows))
    for name, method, combine in [
        (PLAIN, PLAIN, {}),
        (ALONE, SHARED, {}),
        (SHARED, SHARED, {}),
        (f"{SHARED}, sum", SHARED, {"combine": "sum"}),
        (f"{SHARED}, pcgrad", SHARED, {"combine": "pcgrad"}),
    ]:
        began = time.perf_counter()
        if name in (PLAIN, ALONE):
            heads = [fit_questions(method, [data], combine, seed)[0] for data in asked]
        else:
            heads = fit_questions(method, asked, combine, seed)
        yield name, heads, time.perf_counter() - began


if __name__ == "__main__":
    main()
