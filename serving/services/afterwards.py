"""What is done once the answer has gone out: nobody waits for it, and it must not slow live traffic.

One thread a process does it, at the lowest priority, from a queue that drops its oldest job when it is full.
"""

import logging
import os
import threading
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from django.db import close_old_connections, connection
from django.db.models import F

from serving.core.modes import CHALLENGER
from serving.models import Arm
from serving.services.metrics import afterwards_dropped, afterwards_waiting

logger = logging.getLogger(__name__)

# Requests that wait. At 64 images of 96 x 96 pixels each they hold 450 MB at most, and mostly 7.
LONGEST = 256
_LEAST_PRIORITY = 19


class Job(Protocol):
    @property
    def rollout_id(self) -> int: ...

    @property
    def unseen(self) -> int:
        """Images that the challenger does not see if this is dropped."""

    def do(self) -> None: ...


@dataclass
class Afterwards:
    _waiting: deque[Job] = field(default_factory=lambda: deque(maxlen=LONGEST))
    _dropped: Counter[int] = field(default_factory=Counter)  # images by rollout, not told yet
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _some: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def put(self, job: Job) -> None:
        """At once, whatever waits: when the queue is full, the oldest job makes room."""
        with self._lock:
            if len(self._waiting) == self._waiting.maxlen:
                self._drop(self._waiting[0])
            self._waiting.append(job)
            afterwards_waiting(len(self._waiting))
            # A forked child has no thread, and starts its own.
            if self._thread is None or not self._thread.is_alive():
                self._stop.clear()
                name = f"afterwards-{os.getpid()}"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()
        self._some.set()

    def stop(self) -> None:
        """End the thread and forget what waits."""
        self._stop.set()
        self._some.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = None
        self._waiting.clear()

    def _run(self) -> None:
        # On Linux a priority is a thread's own; elsewhere a thread has none, and the system refuses.
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LEAST_PRIORITY)
        while not self._stop.is_set():
            self._some.wait()
            self._some.clear()
            close_old_connections()
            while self._waiting and not self._stop.is_set():
                with self._lock:
                    job = self._waiting.popleft()
                    afterwards_waiting(len(self._waiting))
                try:
                    job.do()
                    self._tell_dropped()
                except Exception:
                    # The rollout may be gone, or the database. Nobody waits for it, so it is not done again.
                    logger.exception("What rollout %d wanted after an answer failed.", job.rollout_id)
                    with self._lock:
                        self._drop(job)
        connection.close()

    def _drop(self, job: Job) -> None:
        self._dropped[job.rollout_id] += job.unseen
        afterwards_dropped(job.unseen)

    def _tell_dropped(self) -> None:
        with self._lock:
            dropped, self._dropped = self._dropped, Counter()
        for rollout_id, images in dropped.items():
            if images:
                arm = Arm.objects.filter(rollout=rollout_id, name=CHALLENGER)
                arm.update(dropped=F("dropped") + images)


afterwards = Afterwards()
