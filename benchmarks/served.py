"""The whole of Quern, started for a benchmark, with a model that answers."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.e2e.stack import Stack

QUIET, QUIET_SECONDS, LONGEST_SECONDS = 20.0, 5, 300  # % of the processors


@contextmanager
def digits_served(subject: str, *options: str) -> Iterator[Stack]:
    """The demo project of digits, 40 of them labelled, by `up` with these options; all of it is gone
    afterwards.
    """
    with (
        tempfile.TemporaryDirectory(prefix=f"quern-{subject}-") as folder,
        Stack(Path(folder) / "data", demo="digits", options=options) as stack,
    ):
        print("labelling 40 digits, so that there is a model ...", flush=True)
        stack.manage("simulate", "digits", "--labels", "40", "--url", stack.url)
        settle()
        yield stack


def settle() -> None:
    """Wait until what labels have set going (trainings, rankings, an int8 copy) is over."""
    print("waiting until the machine is quiet ...", flush=True)
    began, quiet = time.monotonic(), 0
    while quiet < QUIET_SECONDS:
        busy = psutil.cpu_percent(interval=1)
        quiet = quiet + 1 if busy < QUIET else 0
        if time.monotonic() - began > LONGEST_SECONDS:
            print(f"It is not: {busy:.0f}% of the processors are in use.", flush=True)
            return
