"""A way to the database that can be frozen: connections stay, nothing comes through."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, unquote

SOCKET = ".s.PGSQL.5432"


class Way:
    """Passes a Unix socket's bytes on, both ways, while it is open."""

    def __init__(self, folder: Path, target: str) -> None:
        self._target = target
        self.open = threading.Event()
        self.open.set()
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(folder / SOCKET))
        self._door.listen(64)
        self._threads = [threading.Thread(target=self._take, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self.open.set()
        # A closed door would not wake who waits at it.
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for thread in self._threads:
            thread.join(10)

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._door.accept()
                there = socket.socket(socket.AF_UNIX)
                there.connect(self._target)
                for of, to in ((here, there), (there, here)):
                    self._threads.append(threading.Thread(target=self._pass, args=(of, to), daemon=True))
                    self._threads[-1].start()

    def _pass(self, of: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while data := of.recv(65536):
                self.open.wait()
                to.sendall(data)
        for one in (of, to):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextmanager
def way_to_database(folder: Path, name: str) -> Iterator[tuple[Way, str]]:
    """The way, and the URL of the database `name` through it."""
    real = unquote(os.environ["DATABASE_URL"].partition("@")[2].rpartition("/")[0])
    way = Way(folder, f"{real}/{SOCKET}")
    try:
        yield way, f"postgresql://postgres:@{quote(str(folder), safe='')}/{name}"
    finally:
        way.close()
