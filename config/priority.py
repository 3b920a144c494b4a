"""What of the processors goes to whom, when not all can have their fill: clients first, then work that
somebody waits for, then work that nobody waits for.

Where a system shares the processors among sessions first (man 7 sched, "The autogroup feature"), a nice value
counts within a session only. A process that leads one sets the session's, too.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

_LATER, _LEAST = 10, 19  # of nice


def stand_back() -> None:
    """All threads of this process, and those that they start: a tenth of what web processes get, or the rest.

    The slowest predictions waited for what workers do twice a second (`python -m benchmarks.shadow`).
    """
    _become_nice(_LATER)


def become_idle() -> None:
    """The lowest priority that the system knows: what all others leave of the processors."""
    _become_nice(_LEAST)
    if sys.platform == "linux":
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _become_nice(value: int) -> None:
    if sys.platform != "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, value)
        return
    # Each thread has its own; libraries have begun some as they were loaded.
    for thread in os.listdir("/proc/self/task"):
        # The thread may have ended, or stand back further already.
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, int(thread), value)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # a kernel without the feature
            Path("/proc/self/autogroup").write_text(str(value))
