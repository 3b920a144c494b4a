"""What does Quern cost a machine while nobody asks anything of it? Processor time of each process."""

import argparse
import contextlib
import time

import psutil

from benchmarks.report import Claim, print_report
from benchmarks.served import digits_served
from tests.e2e.stack import Stack

AIM = 150.0  # ms of processor time a second, of all processes


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.idle", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="look for 10 seconds")
    parser.add_argument("--seconds", type=float, default=60.0, help="to look for (60)")
    options = parser.parse_args()
    seconds = 10.0 if options.quick else options.seconds
    with digits_served("idle") as stack:
        before, began = _spent(stack), time.monotonic()
        time.sleep(seconds)
        after, took = _spent(stack), time.monotonic() - began
    each = {name: 1000 * (after[name] - before[name]) / took for name in before}
    rows: list[dict[str, object]] = [{"process": name, "ms a second": ms} for name, ms in each.items()]
    total = sum(each.values())
    print_report("idle", rows, [Claim("processor time while nothing is asked", AIM, total, "ms a second")])


def _spent(stack: Stack) -> dict[str, float]:
    """Seconds of processor time, of each process and its children, by its name."""
    return {name: _with_children(psutil.Process(pid)) for name, pid in stack.pids.items()}


def _with_children(process: psutil.Process) -> float:
    spent = 0.0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            spent += times.user + times.system
    return spent


if __name__ == "__main__":
    main()
