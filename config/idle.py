"""The lowest priority that the system knows: what all others leave of the processors."""

import os
import sys
from contextlib import suppress
from pathlib import Path

_LEAST = 19  # of nice


def become_idle() -> None:
    """This thread, and those that it starts from now on."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _LEAST)
    if sys.platform == "linux":
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        # Where sessions have priorities, too (man 7 sched, "The autogroup feature"): it must have its own.
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(_LEAST))
