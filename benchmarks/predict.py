"""Predictions over HTTP against the bare model in this process, and against LitServe: what does serving cost?

All decode the same images, with the same code and the same model, in turn in one run. Everything shares this
machine's processors: the clients, the servers, the database. LitServe has as many worker processes as Quern
has web processes, gets the images as base64 in JSON, and keeps no record of what it answered. The same web
server with the model and nothing else shows what HTTP leaves of the bare model. Then so many images are
labelled that an int8 copy can be judged, and the same is measured as Quern then answers; what it is compared
with stays in float32, as the others would answer.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import product
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
from benchmarks.served import digits_served, settle
from learning.core.predictor import Predictor

THREADS = min(4, os.cpu_count() or 1)  # as the server loads its models
LABELS = 600  # of which 100 and more are the hold-out's
INT8_SECONDS = 600


def litserve(url: str) -> Target:
    return Target(url, "/predict", {"Content-Type": "application/json"}, as_json)


@dataclass(frozen=True)
class Repetition:
    kind: str  # of the images
    bare: Run
    alone: Run  # one client
    many: Run  # several
    half: Run  # as many requests as half of what several got answered, at random moments
    bound: float  # predictions a second of bare processes
    litserve: Run  # several clients
    nothing: Run  # several clients of the same web server with the model and nothing else


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.predict", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within some minutes")
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
        target = quern(options.url, options.key, options.project)
        found = {precision_of(target): measured(target, options.storage, seeds, seconds)}
    else:
        with digits_served("predict") as stack:
            target = quern(stack.url, stack.credentials["api_key"], "digits")
            found = {"float32": measured(target, stack.data / "storage", seeds, seconds)}
            print(f"labelling {LABELS} digits, so that an int8 copy can be judged ...", flush=True)
            stack.manage("simulate", "digits", "--labels", str(LABELS), "--url", stack.url)
            wait_for_int8(target)
            found["int8"] = measured(target, stack.data / "storage", seeds, seconds)
    rows = [row for precision, runs in found.items() for row in rows_of(precision, runs)]
    claims = [claim for precision, runs in found.items() for claim in claims_of(precision, runs)]
    print_report("predict", rows, claims)


def precision_of(target: Target) -> str:
    wait_for_model(target)
    with closing(Caller(target)) as caller:
        return str(json.loads(caller.call(digits("PNG", 0)[0])[1])["model"]["precision"])


def wait_for_int8(target: Target) -> None:
    deadline = time.monotonic() + INT8_SECONDS
    settle()
    while precision_of(target) != "int8":
        if time.monotonic() > deadline:
            raise SystemExit(f"Nothing is answered in int8 after {INT8_SECONDS} s.")
        settle()


def measured(target: Target, storage: Path, seeds: int, seconds: float) -> list[Repetition]:
    digest = wait_for_model(target)
    predictor = load(storage, digest, THREADS)
    found = []
    for seed, kind in product(range(seeds), ("PNG", "JPEG")):
        images = digits(kind, seed)
        bare, alone = in_turn(predictor, target, images, seconds)
        many = load_by(CLIENTS, target, images, seconds)
        half = load_by(CLIENTS, target, images, seconds, rate=many.rate / 2, seed=seed)
        most = bound(storage, digest, images, seconds)
        with running("benchmarks.litserve_server", storage, digest) as url:
            theirs = load_by(CLIENTS, litserve(url), images, seconds)
        with running("benchmarks.bare_server", storage, digest) as url:
            nothing = load_by(CLIENTS, Target(url, "/", {}), images, seconds)
        found.append(Repetition(kind, bare, alone, many, half, most, theirs, nothing))
    return found


def rows_of(precision: str, found: Sequence[Repetition]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for kind in dict.fromkeys(one.kind for one in found):
        of_kind = [one for one in found if one.kind == kind]
        served = f"{kind}: HTTP, {precision}"
        rows += [
            row(f"{kind}: bare call", [one.bare for one in of_kind]),
            row(f"{served}, 1 client", [one.alone for one in of_kind]),
            row(f"{served}, {CLIENTS} clients", [one.many for one in of_kind]),
            row(f"{served}, half of that load", [one.half for one in of_kind]),
            row(f"{kind}: LitServe, {CLIENTS} clients", [one.litserve for one in of_kind]),
            row(f"{kind}: nothing but HTTP, {CLIENTS} clients", [one.nothing for one in of_kind]),
        ]
        rate = statistics.median(one.bound for one in of_kind)
        name = f"{kind}: bare, {WEB_WORKERS} processes"
        rows.append({"what": name, "per second": rate, "p50 ms": "", "p95 ms": "", "p99 ms": ""})
    return rows


def claims_of(precision: str, found: Sequence[Repetition]) -> list[Claim]:
    added = statistics.median(one.alone.ms(0.5) - one.bare.ms(0.5) for one in found)
    share = statistics.median(one.many.rate / one.bound for one in found)
    against = statistics.median(one.many.rate / one.litserve.rate for one in found)
    tail = statistics.median(one.half.ms(0.99) / one.half.ms(0.5) for one in found)
    return [
        Claim(f"{precision}: p50 at one client above the bare call", 1.3, added, "ms"),
        Claim(
            f"{precision}: throughput as a share of the in-process bound",
            0.9,
            share,
            "of 1",
            more_is_better=True,
        ),
        Claim(f"{precision}: throughput against LitServe", 1.3, against, "times", more_is_better=True),
        Claim(f"{precision}: p99 at half load", 3.0, tail, "times p50"),
    ]


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
