"""What takes long to make is made once a run, by whichever process needs it first; the others wait for it."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path


def once(name: str, make: Callable[[Path], None]) -> Path:
    """The folder of that name in the run's own, which is for `make` to fill."""
    folder = Path(os.environ["QUERN_TEST_RUN"]) / name
    made = folder / "made"
    # The kernel lets go of the lock when its holder ends, in whichever way; the next one then tries afresh.
    with folder.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder
