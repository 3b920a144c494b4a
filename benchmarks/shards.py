"""One run of choosing from memory-mapped shards, in a process of its own, for `benchmarks.selection`.

    python -m benchmarks.shards FOLDER SEED

prints a JSON line: seconds, and the process's peak of memory in MB. Two threads score the shards, as two
workers would. Nothing that only the comparison with scikit-activeml needs is loaded here.
"""

import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from learning.core.candidates import NARROW
from learning.core.geometry import Float32
from learning.core.lazy import load_often_used
from learning.core.methods import softmax
from learning.core.pool import Floats, Pool
from learning.core.shard_scoring import PartScores, keep_best, score_part
from learning.core.strategies import screen_of, select

DIMENSIONS, CLASSES, BATCH = 128, 10, 100
SHARD = 50_000  # items
LABELLED = 200
THREADS = 2
STRATEGY = "uherding"


def main() -> None:
    load_often_used()  # as a worker does at its start
    seconds, peak = choose_from(Path(sys.argv[1]), int(sys.argv[2]))
    print(json.dumps({"seconds": seconds, "peak": peak}))


def write_shards(folder: Path, items: int) -> None:
    """Clustered points: one shard drawn, the others with the signs of random features turned."""
    rng = np.random.default_rng(0)
    first, _ = clustered(SHARD, rng)
    for shard in range(items // SHARD):
        signs = rng.choice(np.array([-1, 1], np.float32), DIMENSIONS)
        np.save(folder / f"{shard:05}.npy", (first * signs).astype(np.float16))


def clustered(items: int, rng: np.random.Generator) -> tuple[Float32, NDArray[np.int64]]:
    centres = rng.standard_normal((CLASSES, DIMENSIONS), dtype=np.float32)
    labels = rng.integers(0, CLASSES, items)
    return centres[labels] + 1.5 * rng.standard_normal((items, DIMENSIONS), dtype=np.float32), labels


def choose_from(folder: Path, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((DIMENSIONS, CLASSES), dtype=np.float32) / 8
    paths = sorted(folder.glob("*.npy"))
    generators = rng.spawn(len(paths))
    labelled = np.load(paths[0], mmap_mode="r")[:LABELLED].astype(np.float32)

    def proba(embeddings: Float32) -> Floats:
        return softmax(embeddings @ weight)

    def score(shard: int) -> PartScores:
        embeddings = np.load(paths[shard], mmap_mode="r").astype(np.float32)
        ids = np.arange(shard * SHARD, (shard + 1) * SHARD)
        pool = Pool(SHARD, proba(embeddings))
        return score_part(pool, screen, ids=ids, keep=NARROW, rng=generators[shard])

    def fetch(rows: NDArray[np.int64]) -> Float32:
        found = np.empty((len(rows), DIMENSIONS), np.float32)
        for shard in np.unique(rows // SHARD):
            inside = rows // SHARD == shard
            found[inside] = np.load(paths[shard], mmap_mode="r")[rows[inside] % SHARD]
        return found

    with threadpool_limits(1), ThreadPoolExecutor(THREADS) as threads:
        began = time.perf_counter()
        none = np.empty((0, DIMENSIONS), np.float32)
        screen = screen_of(STRATEGY, Pool(0, proba(none), none, labelled_embeddings=labelled), rng)
        parts = list(threads.map(score, range(len(paths))))
        scored = time.perf_counter()
        kept = keep_best(parts, NARROW, rng)
        found = fetch(kept.ids)
        pool = Pool(len(found), proba(found), found, labelled_embeddings=labelled, drawn=kept.drawn)
        query = select(STRATEGY, pool, BATCH, rng).query
        ended = time.perf_counter()
    if len(query.indices) != BATCH:
        raise SystemExit(f"{len(query.indices)} items were chosen, not {BATCH}.")
    print(f"scoring {scored - began:.2f} s, choosing {ended - scored:.2f} s", file=sys.stderr)
    return ended - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
