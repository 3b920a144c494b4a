"""Reckoning that yields the processor to everything else."""

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")
NICENESS = 10


def gently(reckon: Callable[[], T]) -> T:
    """What `reckon` gives, or raises, in a thread of low priority; it must not touch the database.

    A thread of its own, because nobody may raise a thread's priority again.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        if sys.platform == "linux":  # elsewhere a thread has no priority of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        try:
            outcome.set_result(reckon())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, name="gently", daemon=True).start()
    return outcome.result()
