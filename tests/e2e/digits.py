"""A stack with the demo in it: all its images imported and embedded, nothing labelled yet.

To get there from nothing costs a processor more than a minute. So one `up --demo digits` does it for all test
files of a run; each starts its own stack on a copy of what that one left behind.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.e2e.database import EMBEDDED, IMPORTED, eventually
from tests.e2e.stack import Stack
from tests.once import once

# Thousands of files, which nothing writes once they are there.
ONLY_READ = {"demo", "static"}


@contextmanager
def digits_stack(*options: str) -> Iterator[Stack]:
    left = once("digits", _make)
    with TemporaryDirectory(prefix="quern-e2e-") as folder:
        data = Path(folder) / "data"
        data.mkdir()
        for part in (left / "data").iterdir():
            if part.name in ONLY_READ:
                (data / part.name).symlink_to(part)
            else:  # with its owners and modes: as root, PostgreSQL has a user of its own
                subprocess.run(["cp", "-a", str(part), str(data)], check=True)
        stack = Stack(data, demo="digits", options=options)
        # They are shown only once.
        stack.kept = json.loads((left / "credentials.json").read_text())
        with stack:
            yield stack


def _make(folder: Path) -> None:
    with Stack(folder / "data", demo="digits") as stack:
        eventually(stack, IMPORTED)
        eventually(stack, EMBEDDED)
        (folder / "credentials.json").write_text(json.dumps(stack.credentials))
