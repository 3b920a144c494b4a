"""How many predictions a process makes at once, how many may wait for it, and for how long.

Without a bound, overload makes everybody wait for longer than they are willing to; with one, as many as can
be are answered as quickly as ever, and the others are told at once to come back.
"""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from serving.services.metrics import request_refused

# At once: decoding and inference leave the interpreter, so that some more than processors keep them busy.
RUNNING = 4
WAITING = 12
# Nobody is kept for longer, whatever a client allows.
LONGEST_SECONDS = 10.0


class Overloaded(Exception):
    def __init__(self, wait: int) -> None:
        super().__init__(wait)
        self.wait = wait  # whole seconds after which there will probably be room


class TooLate(Exception):
    """The answer would come after its deadline."""


@dataclass(frozen=True)
class Deadline:
    """Moments of `time.monotonic`."""

    began: float
    seconds: float = LONGEST_SECONDS
    asked: bool = False  # by the client

    @property
    def at(self) -> float:
        return self.began + self.seconds

    @property
    def left(self) -> float:
        return self.at - time.monotonic()


@dataclass
class Admission:
    running: int = RUNNING
    waiting: int = WAITING
    _waits: int = 0
    _mean: float = 0.05  # seconds of a request, the latest the most
    _count: threading.Lock = field(default_factory=threading.Lock)
    _slots: threading.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._slots = threading.Semaphore(self.running)

    def check(self) -> None:
        """Raises Overloaded while as many wait as may: better before a large body is read than after."""
        if self._waits >= self.waiting:
            raise self._overloaded()

    @contextmanager
    def entered(self, deadline: Deadline) -> Iterator[None]:
        """Wait for one's turn, until the deadline at most. Raises Overloaded or TooLate."""
        if not self._slots.acquire(blocking=False):
            self._wait(deadline)
        began = time.monotonic()
        try:
            if deadline.at <= began:
                request_refused("late")
                raise TooLate
            yield
        finally:
            self._slots.release()
            # Several may do this at once and one then counts for nothing: it is a mean.
            self._mean += (time.monotonic() - began - self._mean) / 20

    def _wait(self, deadline: Deadline) -> None:
        with self._count:
            if self._waits >= self.waiting:
                raise self._overloaded()
            self._waits += 1
        try:
            mine = self._slots.acquire(timeout=max(0.0, deadline.left))
        finally:
            with self._count:
                self._waits -= 1
        if not mine:
            request_refused("late")
            raise TooLate

    def _overloaded(self) -> Overloaded:
        request_refused("full")
        return Overloaded(max(1, math.ceil((self.waiting + self.running) * self._mean / self.running)))


admission = Admission()
