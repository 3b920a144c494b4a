"""A server that Quern is compared with: a module of this package, run as a command while it is needed."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.e2e.stack import free_port


@contextlib.contextmanager
def running(module: str, storage: Path, digest: str) -> Iterator[str]:
    """Its URL, once it listens. The module's arguments: the storage folder, the model's digest, the port."""
    port = free_port()
    command = [sys.executable, "-m", module, str(storage), digest, str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{module} does not start.")
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        # One that is only asked to end may leave its workers behind.
        for worker in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False
