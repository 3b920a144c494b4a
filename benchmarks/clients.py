"""Clients of a server that predicts: how they ask, and how long they wait."""

import io
import json
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

from benchmarks.bare_model import WEB_WORKERS

CLIENTS = 8
_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    url: str
    path: str
    headers: dict[str, str]
    body: Callable[[bytes], bytes] = bytes  # of an image
    sockets: tuple[Path, ...] = ()  # Unix sockets, of which a client takes one, instead of the URL's address


def quern(url: str, key: str, project: str) -> Target:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/octet-stream"}
    return Target(url, f"/api/v1/projects/{project}/predict", headers)


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

    def __init__(self, target: Target, number: int = 0) -> None:
        parts = urlsplit(target.url)
        if target.sockets:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(60)
            self._socket.connect(str(target.sockets[number % len(target.sockets)]))
        else:
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
        caller, place, rng = Caller(target, number), number, np.random.default_rng([seed, number])
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


def row(what: str, runs: Sequence[Run]) -> dict[str, object]:
    """The medians over the repetitions."""
    return {
        "what": what,
        "per second": statistics.median(run.rate for run in runs),
        "p50 ms": statistics.median(run.ms(0.5) for run in runs),
        "p95 ms": statistics.median(run.ms(0.95) for run in runs),
        "p99 ms": statistics.median(run.ms(0.99) for run in runs),
    }
