"""Calls of several threads, run as one batch: nobody waits for a batch to fill, but for the one that runs."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

# What it runs is told whether other calls stand behind this batch or in it.
Run = Callable[[NDArray[np.uint8], bool], NDArray[np.float32]]
# Told of the rows of a batch that begins, and of those that wait behind it.
Watch = Callable[[int, int], object]


@dataclass(eq=False)
class _Call:
    rows: NDArray[np.uint8]  # (B, ...)
    answer: Future[NDArray[np.float32]] = field(default_factory=Future)  # (B, D)


class Batching:
    """While one batch runs, what comes meanwhile waits, and is the next one."""

    def __init__(self, run: Run, most: int = 64, watch: Watch | None = None) -> None:
        """`most`: rows of a batch, unless a single call has more."""
        self._run, self.most, self._watch = run, most, watch
        self._waiting: list[_Call] = []
        self._change = threading.Lock()
        self._running = threading.Lock()

    def __call__(self, rows: NDArray[np.uint8], until: float | None = None) -> NDArray[np.float32]:
        """(B, ...) -> (B, D). Raises what the batch raised that these were in.

        `until`: of `time.monotonic`; raises TimeoutError when these still wait then. Once a batch runs, its
        answer is taken, as it costs nothing more.
        """
        if self._running.acquire(blocking=False):
            # Nobody else is here: nothing needs to be handed over.
            try:
                if not self._waiting:
                    if self._watch is not None:
                        self._watch(len(rows), 0)
                    return self._run(rows, False)
            finally:
                self._running.release()
        mine = _Call(rows)
        with self._change:
            self._waiting.append(mine)
        # Whoever comes in first works for all who stand behind; these then find theirs done.
        while not mine.answer.done():
            if not self._running.acquire(timeout=-1 if until is None else max(0.0, until - time.monotonic())):
                self._give_up(mine)
                until = None  # unless these are in the batch that runs
                continue
            try:
                if not mine.answer.done():
                    self._work()
            finally:
                self._running.release()
        return mine.answer.result()

    def _give_up(self, call: _Call) -> None:
        with self._change:
            if call in self._waiting:
                self._waiting.remove(call)
                raise TimeoutError("The batch before these took longer than they may wait.")

    def _work(self) -> None:
        with self._change:
            count, rows = 0, 0
            for call in self._waiting:
                rows += len(call.rows)
                if count and rows > self.most:
                    break
                count += 1
            batch, self._waiting = self._waiting[:count], self._waiting[count:]
            behind = sum(len(call.rows) for call in self._waiting)
            crowded = count > 1 or behind > 0
        if self._watch is not None:
            self._watch(sum(len(call.rows) for call in batch), behind)
        try:
            rows_of_all = np.concatenate([call.rows for call in batch]) if count > 1 else batch[0].rows
            found = self._run(rows_of_all, crowded)
        except Exception as error:
            for call in batch:
                call.answer.set_exception(error)
            return
        start = 0
        for call in batch:
            call.answer.set_result(found[start : start + len(call.rows)])
            start += len(call.rows)
