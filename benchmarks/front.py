"""What the front costs a prediction: the same clients through it, and at the sockets of the web processes.

Both in turn in one run: one client's requests one after the other, then several clients at once.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import psutil

from benchmarks.bare_model import WEB_WORKERS
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
from benchmarks.report import Claim, print_report
from benchmarks.served import digits_served
from config.processes import web_socket


@dataclass(frozen=True)
class Repetition:
    sockets: Run  # one client
    front: Run
    sockets_many: Run  # several
    front_many: Run
    spent_ms: float  # of a processor, by the front, for a request of those


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.front", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within two minutes")
    parser.add_argument("--seeds", type=int, default=5, help="repetitions with other image orders (5)")
    options = parser.parse_args()
    seeds, seconds = (3, 4.0) if options.quick else (options.seeds, 10.0)
    with digits_served("front", "--front") as stack:
        front = quern(stack.url, stack.credentials["api_key"], "digits")
        wait_for_model(front)
        behind = tuple(web_socket(stack.data / "front", number) for number in range(WEB_WORKERS))
        sockets, caddy = replace(front, sockets=behind), psutil.Process(stack.pids["front"])
        report([measured(sockets, front, caddy, seed, seconds) for seed in range(seeds)])


def measured(sockets: Target, front: Target, caddy: psutil.Process, seed: int, seconds: float) -> Repetition:
    images = digits("PNG", seed)
    alone = in_turn(sockets, front, images, seconds)
    directly = load_by(CLIENTS, sockets, images, seconds)
    before = sum(caddy.cpu_times()[:2])
    through = load_by(CLIENTS, front, images, seconds)
    spent = sum(caddy.cpu_times()[:2]) - before
    return Repetition(*alone, directly, through, 1000 * spent / len(through.calls))


def in_turn(first: Target, second: Target, images: Sequence[bytes], seconds: float) -> tuple[Run, Run]:
    """One client of each, so that both meet the same machine."""
    with closing(Caller(first)) as one, closing(Caller(second)) as other:
        ask: tuple[Callable[[bytes], None], ...] = (one.predict, other.predict)
        calls: tuple[list[float], ...] = ([], [])
        deadline, place = time.monotonic() + 2 * seconds, 0
        while time.monotonic() < deadline:
            for predict, took in zip(ask, calls, strict=True):
                took.append(timed(predict, images[place % len(images)]))
            place += 1
    return Run(calls[0], sum(calls[0])), Run(calls[1], sum(calls[1]))


def report(repetitions: Sequence[Repetition]) -> None:
    rows = [
        row("sockets, 1 client", [one.sockets for one in repetitions]),
        row("front, 1 client", [one.front for one in repetitions]),
        row(f"sockets, {CLIENTS} clients", [one.sockets_many for one in repetitions]),
        row(f"front, {CLIENTS} clients", [one.front_many for one in repetitions]),
    ]
    added = statistics.median(one.front.ms(0.5) - one.sockets.ms(0.5) for one in repetitions)
    share = statistics.median(one.front_many.rate / one.sockets_many.rate for one in repetitions)
    spent = statistics.median(one.spent_ms for one in repetitions)
    print_report(
        "front",
        rows,
        [
            Claim("p50 at one client above the web processes' own", 0.5, added, "ms"),
            Claim("throughput, of the web processes' own", 0.95, share, "of 1", more_is_better=True),
            Claim("processor time of the front for a prediction", 0.5, spent, "ms"),
        ],
    )


if __name__ == "__main__":
    main()
