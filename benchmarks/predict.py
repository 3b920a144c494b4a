"""Predictions over HTTP against the bare model in this process, and against LitServe: what does serving cost?

All decode the same images, with the same code and the same model, in turn in one run. Everything shares this
machine's processors: the clients, the servers, the database. LitServe has as many worker processes as Quern
has web processes, gets the images as base64 in JSON, and keeps no record of what it answered. The same web
server with the model and nothing else shows what HTTP leaves of the bare model.
"""

import argparse
import io
import json
import os
import re
import socket
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from benchmarks.bare_model import WEB_WORKERS, bound, load, predict
from benchmarks.litserve_server import as_json
from benchmarks.report import Claim, print_report
from benchmarks.running import running
from benchmarks.served import digits_served
from learning.core.predictor import Predictor

CLIENTS = 8
_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
THREADS = min(4, os.cpu_count() or 1)  # as the server loads its models


@dataclass(frozen=True)
class Target:
    url: str
    path: str
    headers: dict[str, str]
    body: Callable[[bytes], bytes] = bytes  # of an image


def quern(url: str, key: str, project: str) -> Target:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/octet-stream"}
    return Target(url, f"/api/v1/projects/{project}/predict", headers)


def litserve(url: str) -> Target:
    return Target(url, "/predict", {"Content-Type": "application/json"}, as_json)


@dataclass(frozen=True)
class Run:
    """Seconds each call took, and seconds the whole took."""

    calls: list[float]
    took: float

    @property
    def rate(self) -> float:
        return len(self.calls) / self.took

    def ms(self, quantile: float) -> float:
        return float(np.quantile(self.calls, quantile)) * 1000


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


def row(what: str, runs: Sequence[Run]) -> dict[str, object]:
    """The medians over the repetitions."""
    return {
        "what": what,
        "per second": statistics.median(run.rate for run in runs),
        "p50 ms": statistics.median(run.ms(0.5) for run in runs),
        "p95 ms": statistics.median(run.ms(0.95) for run in runs),
        "p99 ms": statistics.median(run.ms(0.99) for run in runs),
    }


def digits(kind: str, seed: int) -> list[bytes]:
    """Digit-like images of the demo's size, encoded; what they show does not matter to the time they take."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(200):
        out = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(out, kind)
        images.append(out.getvalue())
    return images


def wait_for_model(target: Target) -> str:
    """The digest of the model that answers, once every web process has loaded it."""
    deadline, data, digest, in_a_row = time.monotonic() + 180, digits("PNG", 0)[0], "", 0
    while in_a_row < 8 * WEB_WORKERS:
        # A new connection may reach another process.
        with closing(Caller(target)) as caller:
            status, answer = caller.call(data)
        if status == 200:
            digest = str(json.loads(answer)["model"]["digest"])
            in_a_row += 1
            continue
        in_a_row = 0
        if time.monotonic() > deadline:
            raise SystemExit(f"The server does not predict: status {status}, {answer.decode()[:300]}")
        time.sleep(0.5)
    return digest


class Caller:
    """One client with a connection it keeps. It writes and reads HTTP by itself, in a tenth of the processor
    time that `http.client` takes: what clients spend on this machine is not what serving costs.
    """

    def __init__(self, target: Target) -> None:
        parts = urlsplit(target.url)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        fields = {"Host": parts.netloc, **target.headers}
        self._head = "".join(
            [f"POST {target.path} HTTP/1.1\r\n", *(f"{name}: {value}\r\n" for name, value in fields.items())]
        ).encode()
        self._body = target.body

    def call(self, data: bytes) -> tuple[int, bytes]:
        body = self._body(data)
        self._socket.sendall(b"%sContent-Length: %d\r\n\r\n%s" % (self._head, len(body), body))
        come = b""
        while b"\r\n\r\n" not in come:
            come = self._more(come)
        head, _, answer = come.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if length is None:
            raise SystemExit(f"An answer without its length: {head.decode()[:300]}")
        while len(answer) < int(length[1]):
            answer = self._more(answer)
        return int(head.split(b" ", 2)[1]), answer

    def close(self) -> None:
        self._socket.close()

    def _more(self, known: bytes) -> bytes:
        come = self._socket.recv(65536)
        if not come:
            raise SystemExit("The server hung up.")
        return known + come

    def predict(self, data: bytes) -> None:
        status, answer = self.call(data)
        if status != 200:
            raise SystemExit(f"A prediction failed: status {status}, {answer.decode()[:300]}")


def timed(call: Callable[[bytes], None], data: bytes) -> float:
    started = time.perf_counter()
    call(data)
    return time.perf_counter() - started


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


def load_by(
    clients: int,
    target: Target,
    images: Sequence[bytes],
    seconds: float,
    rate: float | None = None,
    seed: int = 0,
) -> Run:
    """Each client sends again when it is answered, or, with a rate (requests a second of all), at random
    moments, as long as it keeps up.
    """
    calls: list[list[float]] = [[] for _ in range(clients)]
    failures: list[BaseException] = []
    ready = threading.Barrier(clients + 1)
    deadline = time.monotonic() + seconds + 1.0

    def client(number: int) -> None:
        caller, place, rng = Caller(target), number, np.random.default_rng([seed, number])
        try:
            for data in images[:5]:
                caller.predict(data)
            ready.wait()
            due = time.monotonic()
            while time.monotonic() < deadline:
                if rate is not None:
                    due += rng.exponential(clients / rate)
                    time.sleep(max(0.0, due - time.monotonic()))
                calls[number].append(timed(caller.predict, images[place % len(images)]))
                place += clients
        except BaseException as failure:
            failures.append(failure)
            ready.abort()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        ready.wait()
    except threading.BrokenBarrierError:
        raise SystemExit(f"The clients stopped: {failures[0]}") from None
    started = time.monotonic()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"A client stopped: {failures[0]}")
    return Run([call for one in calls for call in one], time.monotonic() - started)


if __name__ == "__main__":
    main()
