"""The whole of Quern, started for a benchmark, with a model that answers."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.stack import Stack


@contextmanager
def digits_served(subject: str) -> Iterator[Stack]:
    """The demo project of digits, 40 of them labelled; all of it is gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix=f"quern-{subject}-") as folder,
        Stack(Path(folder) / "data", demo="digits") as stack,
    ):
        print("labelling 40 digits, so that there is a model ...", flush=True)
        stack.manage("simulate", "digits", "--labels", "40", "--url", stack.url)
        yield stack
