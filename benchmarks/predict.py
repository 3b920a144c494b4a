"""Predictions over HTTP against the bare model in this process, and against LitServe: what does serving cost?

All decode the same images, with the same code and the same model, in turn in one run. Everything shares this
machine's processors: the clients, the servers, the database. LitServe has as many worker processes as Quern
has web processes, gets the images as base64 in JSON, and keeps no record of what it answered. The same web
server with the model and nothing else shows what HTTP leaves of the bare model.
"""

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bare_model import WEB_WORKERS, bound, load, predict
from benchmarks.clients import (
    CLIENTS,
    Caller,
    Run,
    Target,
    digits,
    load_by,
    quern,
    row,
    timed,
    wait_for_model,
)
from benchmarks.litserve_server import as_json
from benchmarks.report import Claim, print_report
from benchmarks.running import running
from benchmarks.served import digits_served
from learning.core.predictor import Predictor

THREADS = min(4, os.cpu_count() or 1)  # as the server loads its models


def litserve(url: str) -> Target:
    return Target(url, "/predict", {"Content-Type": "application/json"}, as_json)


@dataclass(frozen=True)
class Repetition:
    bare: Run
    alone: Run  # one client
    many: Run  # several
    half: Run  # as many requests as half of what several got answered, at random moments
    bound: float  # predictions a second of bare processes
    litserve: Run  # several clients
    nothing: Run  # several clients of the same web server with the model and nothing else


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.predict", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within a minute")
    parser.add_argument("--seeds", type=int, default=3, help="repetitions with other image orders (3)")
    parser.add_argument("--url", help="a running server; without it the benchmark starts its own")
    parser.add_argument("--key", help="an API key of --project")
    parser.add_argument("--project", default="digits")
    parser.add_argument("--storage", type=Path, help="the running server's storage folder")
    options = parser.parse_args()
    seeds = 1 if options.quick else options.seeds
    seconds = 3.0 if options.quick else 10.0
    if options.url:
        if not options.key or not options.storage:
            parser.error("with --url, give --key and --storage too")
        measure(quern(options.url, options.key, options.project), options.storage, seeds, seconds)
        return
    with digits_served("predict") as stack:
        key = stack.credentials["api_key"]
        measure(quern(stack.url, key, "digits"), stack.data / "storage", seeds, seconds)


def measure(target: Target, storage: Path, seeds: int, seconds: float) -> None:
    digest = wait_for_model(target)
    predictor = load(storage, digest, THREADS)
    found: dict[str, list[Repetition]] = {"PNG": [], "JPEG": []}
    for seed in range(seeds):
        for kind, repetitions in found.items():
            images = digits(kind, seed)
            bare, alone = in_turn(predictor, target, images, seconds)
            many = load_by(CLIENTS, target, images, seconds)
            half = load_by(CLIENTS, target, images, seconds, rate=many.rate / 2, seed=seed)
            most = bound(storage, digest, images, seconds)
            with running("benchmarks.litserve_server", storage, digest) as url:
                theirs = load_by(CLIENTS, litserve(url), images, seconds)
            with running("benchmarks.bare_server", storage, digest) as url:
                nothing = load_by(CLIENTS, Target(url, "/", {}), images, seconds)
            repetitions.append(Repetition(bare, alone, many, half, most, theirs, nothing))
    rows: list[dict[str, object]] = []
    for kind, repetitions in found.items():
        rows += [
            row(f"{kind}: bare call", [repetition.bare for repetition in repetitions]),
            row(f"{kind}: HTTP, 1 client", [repetition.alone for repetition in repetitions]),
            row(f"{kind}: HTTP, {CLIENTS} clients", [repetition.many for repetition in repetitions]),
            row(f"{kind}: HTTP, half of that load", [repetition.half for repetition in repetitions]),
            row(f"{kind}: LitServe, {CLIENTS} clients", [repetition.litserve for repetition in repetitions]),
            row(f"{kind}: nothing but HTTP, {CLIENTS} clients", [one.nothing for one in repetitions]),
        ]
        rate = statistics.median(repetition.bound for repetition in repetitions)
        name = f"{kind}: bare, {WEB_WORKERS} processes"
        rows.append({"what": name, "per second": rate, "p50 ms": "", "p95 ms": "", "p99 ms": ""})
    everything = [repetition for repetitions in found.values() for repetition in repetitions]
    added = statistics.median(one.alone.ms(0.5) - one.bare.ms(0.5) for one in everything)
    share = statistics.median(one.many.rate / one.bound for one in everything)
    against = statistics.median(one.many.rate / one.litserve.rate for one in everything)
    tail = statistics.median(one.half.ms(0.99) / one.half.ms(0.5) for one in everything)
    print_report(
        "predict",
        rows,
        [
            Claim("p50 at one client above the bare call", 1.3, added, "ms"),
            Claim("throughput as a share of the in-process bound", 0.9, share, "of 1", more_is_better=True),
            Claim("throughput against LitServe", 1.3, against, "times", more_is_better=True),
            Claim("p99 at half load", 3.0, tail, "times p50"),
        ],
    )


def in_turn(predictor: Predictor, target: Target, images: Sequence[bytes], seconds: float) -> tuple[Run, Run]:
    """A bare call and a call over HTTP, one after the other, so that both meet the same machine."""
    caller = Caller(target)
    bare, alone = [], []
    for data in images[:20]:
        predict(predictor, data)
        caller.predict(data)
    deadline, place = time.monotonic() + 2 * seconds, 0
    while time.monotonic() < deadline:
        data = images[place % len(images)]
        bare.append(timed(lambda sent: predict(predictor, sent), data))
        alone.append(timed(caller.predict, data))
        place += 1
    return Run(bare, sum(bare)), Run(alone, sum(alone))


if __name__ == "__main__":
    main()
