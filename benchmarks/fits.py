"""Does one training keep to its time and memory? What each method's fit takes, and what was planned for it.

Each fit has a process of its own, so that nothing that another has freed counts for it. Memory is the most
that the process held at once beyond what it held before the data came. Embeddings have as many features as
a backbone's, of classes that overlap; one thread.
"""

import argparse
import gc
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.report import Claim, print_report
from learning.core.methods import METHODS
from learning.core.methods.base import TrainingData
from learning.core.methods.budget import Size, megabytes_of, seconds_of

FEATURES, CLASSES = 1_728, 10
SIZES = (Size(200, 2_000, FEATURES), Size(200, 20_000, FEATURES), Size(2_000, 2_000, FEATURES))
QUICK = (Size(200, 2_000, FEATURES),)
APART, SPREAD = 1.0, 6.0
# A plan is an upper bound: a machine may be so many times slower than the one that it was made for.
SECONDS_AIM, MEGABYTES_AIM = 1.5, 1.1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fits", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the smallest size only")
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    of_plan = []
    for size in QUICK if options.quick else SIZES:
        for entry in METHODS.values():
            if entry.together is not None:
                continue  # it takes a question by itself as transfer does
            used = size if "unlabelled" in entry.uses else replace(size, unlabelled=0)
            # A process of its own, and the next one another.
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
                seconds, megabytes = alone.submit(measured, entry.name, used).result()
            planned = seconds_of(entry, used), megabytes_of(entry, used)
            of_plan.append((seconds / planned[0], megabytes / planned[1]))
            rows.append(
                {
                    "method": entry.name,
                    "labels": used.labels,
                    "without": used.unlabelled,
                    "s": seconds,
                    "planned s": planned[0],
                    "MB": megabytes,
                    "planned MB": planned[1],
                }
            )
    most = np.max(of_plan, axis=0)
    claims = [
        Claim("a fit's time, of the planned, at most", SECONDS_AIM, float(most[0]), "times"),
        Claim("a fit's memory, of the planned, at most", MEGABYTES_AIM, float(most[1]), "times"),
    ]
    print_report("fits", rows, claims)


def measured(name: str, size: Size) -> tuple[float, float]:
    """Of one fit: seconds of the processor, megabytes."""
    fit = METHODS[name].fit
    with threadpool_limits(1):
        fit(drawn(Size(4 * CLASSES, min(size.unlabelled, 50), 16)), {}, np.random.default_rng(0))  # imports
        gc.collect()
        before = _kilobytes("VmRSS")
        data = drawn(size)
        Path("/proc/self/clear_refs").write_text("5")  # the most so far is forgotten (man 5 proc)
        began = time.process_time()
        fit(data, {}, np.random.default_rng(0))
        seconds = time.process_time() - began
    return seconds, (_kilobytes("VmHWM") - before) / 1_000


def drawn(size: Size) -> TrainingData:
    rng = np.random.default_rng(0)
    centres = rng.normal(scale=APART, size=(CLASSES, size.features)).astype(np.float32)

    def some(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(count) % CLASSES
        values = rng.normal(scale=SPREAD, size=(count, size.features)).astype(np.float32)
        values += centres[labels]
        return values, labels

    values, labels = some(size.labels)
    soft = np.full((size.labels, CLASSES), 0.1 / (CLASSES - 1))
    soft[np.arange(size.labels), labels] = 0.9
    unlabelled = some(size.unlabelled)[0] if size.unlabelled else None
    return TrainingData(values, labels, CLASSES, unlabelled=unlabelled, soft=soft)


def _kilobytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


if __name__ == "__main__":
    main()
