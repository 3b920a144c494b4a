"""A web process is killed every two seconds under load: which requests fail, and is any record lost?

A killed process takes the requests it was answering with it; the front asks another process. Without the
front a client sends such a request again, every other one with an Idempotency-Key. What it was answered must
be in the database. Predictions are answered all the while, so readiness has to say so.
"""

import argparse
import http.client
import json
import os
import random
import signal
import statistics
import threading
import time
import urllib.request
import uuid
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psutil
import psycopg

from benchmarks.clients import CLIENTS, Target, digits, quern, wait_for_model
from benchmarks.report import Claim, print_report
from benchmarks.served import digits_served
from tests.e2e.stack import Stack

TRIES = ("answered at once", "answered when sent again", "answered when sent a third time")
EVERY = 2.0  # seconds between two kills


@dataclass
class Client:
    """Sends one image after the other, and says what became of each."""

    target: Target
    keyed: bool  # whether it sends an Idempotency-Key
    outcomes: Counter[str] = field(default_factory=Counter)
    answered: list[str] = field(default_factory=list)  # ids of predictions
    seconds: list[float] = field(default_factory=list)

    def run(self, images: list[bytes], until: float) -> None:
        place = 0
        while time.monotonic() < until:
            self.predict(images[place % len(images)])
            place += 1

    def predict(self, image: bytes) -> None:
        key, started = str(uuid.uuid4()), time.monotonic()
        for what in TRIES:
            status, body = self.send(image, key)
            if status == 200:
                self.outcomes[what] += 1
                self.answered.append(json.loads(body)["predictions"][0]["id"])
                self.seconds.append(time.monotonic() - started)
                return
            self.outcomes[f"not {what}: {status or 'connection lost'}"] += 1
        self.outcomes["failed"] += 1

    def send(self, image: bytes, key: str) -> tuple[int, bytes]:
        parts = urlsplit(self.target.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        try:
            named = {"Idempotency-Key": key} if self.keyed else {}
            connection.request("POST", self.target.path, image, {**self.target.headers, **named})
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()


class Watcher(threading.Thread):
    """Asks for readiness all the time, as whoever sends the traffic would."""

    def __init__(self, url: str, until: float) -> None:
        super().__init__()
        self._url = url
        self._until = until
        self.longest = 0.0  # seconds from a question to the first true answer to it or to a later one

    def run(self) -> None:
        asked = None
        while (now := time.monotonic()) < self._until:
            asked = asked or now
            if self._says_ready():
                self.longest = max(self.longest, time.monotonic() - asked)
                asked = None
            time.sleep(0.05)
        self.longest = max(self.longest, self._until - asked if asked else 0.0)

    def _says_ready(self) -> bool:
        try:
            with urllib.request.urlopen(self._url, timeout=10) as answer:  # noqa: S310  # http to the stack started here
                return bool(answer.status == 200)
        except (OSError, http.client.HTTPException):
            return False


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within a minute")
    parser.add_argument("--seed", type=int, default=0, help="which process is killed each time (0)")
    parser.add_argument("--no-front", action="store_true", help="clients meet the web processes themselves")
    options = parser.parse_args()
    seconds = 12.0 if options.quick else 60.0
    with digits_served("kills", *([] if options.no_front else ["--front"])) as stack:
        target = quern(stack.url, stack.credentials["api_key"], "digits")
        wait_for_model(target)
        measure(stack, target, seconds, random.Random(options.seed))


def measure(stack: Stack, target: Target, seconds: float, rng: random.Random) -> None:
    until = time.monotonic() + seconds
    clients = [Client(target, keyed=number % 2 == 0) for number in range(CLIENTS)]
    images = digits("PNG", 0)
    watcher = Watcher(f"{stack.url}/health/ready", until)
    threads = [threading.Thread(target=client.run, args=(images, until)) for client in clients]
    threads.append(watcher)
    for thread in threads:
        thread.start()
    kills = kill_until(stack, until, rng)
    for thread in threads:
        thread.join()
    outcomes: Counter[str] = sum((client.outcomes for client in clients), Counter())
    answered = [one for client in clients for one in client.answered]
    lost = missing(stack, answered)
    asked = len(answered) + outcomes["failed"]
    rows: list[dict[str, object]] = [
        {"what": what, "requests": n, "%": 100 * n / asked} for what, n in outcomes.most_common()
    ]
    slowest = max(one for client in clients for one in client.seconds)
    middle = statistics.median(one for client in clients for one in client.seconds)
    print(f"{kills} web processes were killed; p50 {middle * 1000:.0f} ms, slowest {slowest:.1f} s")
    first, again, third = (
        sum(n for what, n in outcomes.items() if what.startswith(f"not {one}:")) for one in TRIES
    )
    print_report(
        "kills",
        rows,
        [
            Claim("predictions answered and not recorded", 0, len(lost), "records"),
            Claim("requests not answered at once", 0, first, "requests"),
            Claim("requests not answered when sent again once", 0, again, "requests"),
            Claim("requests not answered when sent again twice", 0, third, "requests"),
            Claim("longest until readiness told the truth", 1.0, watcher.longest, "s"),
        ],
    )


def kill_until(stack: Stack, until: float, rng: random.Random) -> int:
    """Every two seconds, one of the web server's processes; how many it were."""
    kills = 0
    due = time.monotonic() + EVERY
    while due < until:
        time.sleep(max(0.0, due - time.monotonic()))
        due += EVERY
        workers = [one for one in psutil.Process(stack.pids["web"]).children() if is_worker(one)]
        if workers:
            os.kill(rng.choice(workers).pid, signal.SIGKILL)
            kills += 1
    return kills


def is_worker(process: psutil.Process) -> bool:
    try:
        ended = process.status() == psutil.STATUS_ZOMBIE
        return not ended and "afterwards" not in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def missing(stack: Stack, answered: list[str]) -> set[str]:
    """Predictions that clients have got and that nobody finds, once all spools are empty."""
    deadline = time.monotonic() + 30
    left = set(answered)
    while left and time.monotonic() < deadline:
        time.sleep(0.5)
        with psycopg.connect(stack.database_url) as connection:
            found = connection.execute(
                "select id::text from serving_prediction where id = any(%s::uuid[])", [sorted(left)]
            ).fetchall()
        left -= {one for (one,) in found}
    return left


if __name__ == "__main__":
    main()
