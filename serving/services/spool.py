"""Rows that wait for the database in files of this machine, so that no answer waits for it.

A process appends lines to a file of its own, which survives the process: that is what a caller waits for,
some microseconds. Its thread hands full files to `store` several times a second, and takes over the files
of processes that were killed. A file is its writer's as long as that holds the lock on it, which the kernel
takes back when the process ends.
"""

import fcntl
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from django.db import close_old_connections, connection

logger = logging.getLogger(__name__)

SECONDS = 0.2  # between two hand-overs
AFTER_FAILURE = 1.0
ORPHANS_EVERY = 20  # hand-overs
SUFFIX = ".rows"

# Lines, and whether some of them may be stored already: their writer was killed, perhaps just after.
Store = Callable[[list[bytes], bool], None]


@dataclass
class Spool:
    """`folder` is asked for at the first line: settings are not read while modules are imported."""

    folder: Callable[[], Path]
    store: Store
    _file: int | None = None
    _path: Path | None = None
    _full: list[tuple[Path, int]] = field(default_factory=list)  # to be handed over, the oldest first
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _handing: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread. A forked child has none, and none of its parent's files."""
        self._file, self._path, self._full = None, None, []
        self._lock, self._handing, self._stop = threading.Lock(), threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"spool-{os.getpid()}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Hand over what there is, and end the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = None

    def append(self, lines: list[bytes]) -> None:
        """Keep the lines; they have no line breaks of their own. Raises OSError when the disk is full."""
        data = b"".join(line + b"\n" for line in lines)
        with self._lock:
            if self._file is None:
                self._path, self._file = self._opened()
            whole = os.fstat(self._file).st_size
            written = 0
            try:
                while written < len(data):
                    written += os.write(self._file, data[written:])
            except OSError:
                # A torn line would swallow the next, and lines that were refused are not to be stored.
                os.ftruncate(self._file, whole)
                raise

    def hand_over(self) -> None:
        """Store all lines so far. Raises what `store` raises; then nothing is lost, and it is tried again."""
        with self._handing:
            with self._lock:
                if self._file is not None and self._path is not None:
                    self._full.append((self._path, self._file))
                    self._file, self._path = None, None
            while self._full:
                path, file = self._full[0]
                self.store(_lines(path), False)
                _gone(path, file)
                del self._full[0]

    def take_over(self) -> None:
        """Store what killed processes have left."""
        for path in sorted(self.folder().glob(f"*{SUFFIX}")):
            with _locked(path) as file:
                if file is not None:
                    lines = _lines(path)
                    logger.warning("%d rows that a killed process has left are stored now.", len(lines))
                    self.store(lines, True)
                    path.unlink(missing_ok=True)

    def waiting(self) -> tuple[float, int]:
        """For how many seconds the oldest row of any process of this machine waits, and the bytes of all."""
        begun, size = [], 0
        for path in self.folder().glob(f"*{SUFFIX}"):
            with suppress(FileNotFoundError):  # stored meanwhile
                size += path.stat().st_size
                begun.append(int(path.name.partition("-")[0]))
        return (time.time_ns() - min(begun)) / 1e9 if begun else 0.0, size

    def _opened(self) -> tuple[Path, int]:
        folder = self.folder()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{time.time_ns()}-{os.getpid()}-{uuid.uuid4().hex}{SUFFIX}"
        # Locked before it has the name by which others look for orphans.
        unnamed = path.with_suffix(".new")
        file = os.open(unnamed, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        unnamed.rename(path)
        return path, file

    def _run(self) -> None:
        turn = 0
        while True:
            last = self._stop.is_set()
            wait = SECONDS
            try:
                close_old_connections()
                self.hand_over()
                if turn % ORPHANS_EVERY == 0:
                    self.take_over()
            except Exception:
                # Mostly the database is gone: the files stay, and we try again.
                logger.exception("Rows could not be stored; they are kept in %s.", self.folder())
                wait = AFTER_FAILURE
            if last:
                break
            turn += 1
            self._stop.wait(wait)
        connection.close()


def _lines(path: Path) -> list[bytes]:
    """The complete ones: after a crash of the machine the last may be torn."""
    return path.read_bytes().split(b"\n")[:-1]


def _gone(path: Path, file: int) -> None:
    path.unlink(missing_ok=True)
    os.close(file)


@contextmanager
def _locked(path: Path) -> Iterator[int | None]:
    """The open file, if nobody else has it; None if its writer lives, or another has taken it over."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        mine = None
    else:
        # Another may have stored and removed it between the two calls.
        mine = file if path.exists() else None
    try:
        yield mine
    finally:
        os.close(file)
