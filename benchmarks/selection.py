"""What choosing a diverse batch of 100 costs: from millions of embeddings, and next to scikit-activeml.

Large pools lie in memory-mapped float16 shards, written first (not timed, so they may be in the system's
cache), and are scored with a linear head; see `benchmarks.shards`. The comparison times whole queries,
probabilities included, ours and theirs in turn on the same data, both with one thread for the linear algebra,
as the product's workers have. scikit-activeml has no UHerding: it is compared with its MaxHerding, the same
sum with U = 1.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from skactiveml.classifier import SklearnClassifier
from skactiveml.pool import Badge, CoreSet, MaxHerding, TypiClust
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from benchmarks.report import Claim, print_report
from benchmarks.shards import BATCH, CLASSES, DIMENSIONS, LABELLED, STRATEGY, clustered, write_shards
from learning.core.pool import Pool
from learning.core.strategies import select

ITEMS = 5_000
COMPARED = ("badge", "typiclust", "coreset", "uherding")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.selection", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="no 10 million, no UHerding: end within a minute"
    )
    parser.add_argument("--seeds", type=int, default=3, help="repetitions with other data (3)")
    parser.add_argument(
        "--compare", nargs="+", choices=COMPARED, help="only these, and only with scikit-activeml"
    )
    options = parser.parse_args()
    seeds = 1 if options.quick else options.seeds
    rows: list[dict[str, object]] = []
    claims: list[Claim] = []
    pools = [1_000_000] if options.quick else [1_000_000, 10_000_000]
    for items in pools if options.compare is None else []:
        seconds, peak = from_shards(items, seeds)
        what = f"{STRATEGY}, {items:,} x {DIMENSIONS}"
        rows.append({"what": what, "seconds": seconds, "scikit-activeml": "", "times": "", "peak MB": peak})
        claims.append(Claim(f"{what}: {BATCH} chosen", 2.0 * items / 1e6, seconds, "s"))
        claims.append(Claim(f"{what}: peak memory", 1024, peak, "MB"))
    for name in options.compare or (COMPARED[:3] if options.quick else COMPARED):
        pairs = [next_to_scikit_activeml(name, seed) for seed in range(seeds)]
        ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
        what, times = f"{name}, {ITEMS:,} x {DIMENSIONS}", theirs / ours
        rows.append({"what": what, "seconds": ours, "scikit-activeml": theirs, "times": times, "peak MB": ""})
        claims.append(Claim(f"{what}: faster than scikit-activeml", 20, times, "times", more_is_better=True))
    print_report("selection", rows, claims)


def from_shards(items: int, seeds: int) -> tuple[float, float]:
    """Median seconds and largest peak in MB."""
    found = []
    with tempfile.TemporaryDirectory(prefix="quern-selection-") as folder:
        write_shards(Path(folder), items)
        for seed in range(seeds):
            command = [sys.executable, "-m", "benchmarks.shards", folder, str(seed)]
            printed = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
            found.append(json.loads(printed))
    return statistics.median(run["seconds"] for run in found), max(run["peak"] for run in found)


def next_to_scikit_activeml(name: str, seed: int) -> tuple[float, float]:
    """Seconds of ours and of theirs, for the same batch size on the same data."""
    rng = np.random.default_rng(seed)
    X, labels = clustered(LABELLED + ITEMS, rng)  # the first LABELLED are labelled
    y = np.where(np.arange(len(X)) < LABELLED, labels, np.nan)
    model = SklearnClassifier(LogisticRegression(), classes=list(range(CLASSES)))
    model.fit(X[:LABELLED], labels[:LABELLED])

    def ours() -> object:
        proba = model.predict_proba(X[LABELLED:])
        pool = Pool(ITEMS, proba, X[LABELLED:], labelled_embeddings=X[:LABELLED])
        return select(name, pool, BATCH, np.random.default_rng(seed))

    def theirs() -> object:
        if name == "badge":
            return Badge(random_state=seed).query(X, y, model, fit_clf=False, batch_size=BATCH)
        algorithm = {"typiclust": TypiClust, "coreset": CoreSet, "uherding": MaxHerding}[name]
        return algorithm(random_state=seed).query(X, y, batch_size=BATCH)

    with threadpool_limits(1):
        return seconds(ours), seconds(theirs)


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
