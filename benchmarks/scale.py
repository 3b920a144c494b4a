"""What a second worker process brings when a big pool is ranked: the same rounds, with one and with two.

A running Quern with a pool of embeddings that were drawn, not computed. Rankings are asked for, in turn with
both workers and with the second one, which otherwise embeds, standing still. "Search" is the map over the
pool's parts, as the database shows it; "round" is all of a run: labels, training, search, the choice among
what was found, the swap of the queue.
"""

import argparse
import contextlib
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from benchmarks.report import Claim, print_report
from tests.e2e.stack import Stack

WIDTH = 1_792  # features, about those of the default backbone
MAKE = f"""
from django.db import transaction
from tests.learning.big_pool import big_project
from tests.learning.digits import label_items
with transaction.atomic():
    project, truth = big_project("pool", ITEMS, {WIDTH})
    label_items(project, truth, 60)
"""
PARTS = "select count(*), count(*) filter (where found is null) from learning_searchpart"
Database = psycopg.Connection[tuple[object, ...]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="70,000 items instead of 200,000")
    parser.add_argument("--seeds", type=int, default=5, help="rounds of each kind (5)")
    options = parser.parse_args()
    items = 70_000 if options.quick else 200_000
    searches: dict[int, list[float]] = {1: [], 2: []}
    rounds: dict[int, list[float]] = {1: [], 2: []}
    with (
        tempfile.TemporaryDirectory(prefix="quern-scale-") as folder,
        Stack(Path(folder) / "data", demo="none") as stack,
    ):
        stack.manage("shell", "-v", "0", "-c", MAKE.replace("ITEMS", str(items)), timeout=900)
        with psycopg.connect(stack.database_url, autocommit=True) as database:
            for number in (1, 2):  # the first round finds cold files and libraries, in both workers
                wait_for_round(database, number)
                ask_for_ranking(database)
            wait_for_round(database, 3)
            for turn in range(options.seeds * 2):
                workers = 1 + turn % 2
                with contextlib.nullcontext() if workers == 2 else standing_still(stack):
                    ask_for_ranking(database)
                    searches[workers].append(search_seconds(database))
                    rounds[workers].append(wait_for_round(database, 4 + turn))
    medians = {
        (what, workers): statistics.median(seconds[workers])
        for what, seconds in (("search", searches), ("round", rounds))
        for workers in (1, 2)
    }
    times = {what: medians[what, 1] / medians[what, 2] for what in ("search", "round")}
    print_report(
        "scale",
        [
            {
                "what": f"{what}, {items:,} x {WIDTH}",
                "one worker s": medians[what, 1],
                "two workers s": medians[what, 2],
                "times": times[what],
            }
            for what in ("search", "round")
        ],
        [
            Claim("search: two workers against one", 1.7, times["search"], "times", more_is_better=True),
            Claim("round: two workers against one", 1.7, times["round"], "times", more_is_better=True),
        ],
    )


@contextlib.contextmanager
def standing_still(stack: Stack) -> Iterator[None]:
    pid = stack.pids["worker-embedding"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def ask_for_ranking(database: Database) -> None:
    database.execute("update learning_learner set requested_at = now()")


def search_seconds(database: Database, within: float = 300) -> float:
    began: float | None = None
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        parts, unfinished = database.execute(PARTS).fetchone() or (0, 0)
        if began is None and parts:
            began = time.monotonic()
        if began is not None and not unfinished:
            return time.monotonic() - began
        time.sleep(0.005)
    raise SystemExit("The pool was not searched within five minutes.")


def wait_for_round(database: Database, number: int, within: float = 300) -> float:
    """Its seconds."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        found = database.execute("select seconds from learning_round where number = %s", [number]).fetchone()
        if found:
            return float(str(found[0]))
        time.sleep(0.02)
    raise SystemExit("The pool was not ranked within five minutes.")


if __name__ == "__main__":
    main()
