"""What `manage.py up` makes sure of before it starts anything."""

import fcntl
import json
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


class CannotStart(Exception):
    """Why not, in one sentence."""


def check_writable(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=data):
            pass
    except OSError as error:
        raise CannotStart(
            f"The data directory {data} cannot be written to ({error.strerror}): "
            "set QUERN_DATA_DIR to a folder that can."
        ) from error


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Hold the data directory for this process alone. The kernel lets go of it whenever the process ends."""
    # Python opens it close-on-exec: no child inherits the lock.
    with (data / "up.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStart(
                f"Another `manage.py up` is running on the data directory {data}: "
                "stop it, or set QUERN_DATA_DIR to another folder."
            ) from None
        yield


def end_leftovers(data: Path) -> None:
    """End what an `up` that was killed may have left running. Call it with the lock held."""
    pids_file = data / "pids.json"
    try:
        pids = json.loads(pids_file.read_text())
    except (FileNotFoundError, ValueError):
        return
    for pid in pids.values():
        try:
            # Another program may have the number by now.
            if psutil.Process(pid).environ().get("QUERN_DATA_DIR") == str(data) and os.getpgid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)
        except (psutil.Error, ProcessLookupError):
            continue
    pids_file.unlink(missing_ok=True)


def check_port(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise CannotStart(
            f"Port {port} on {host} cannot be used ({error.strerror}): "
            "choose another with --port (make run PORT=...)."
        ) from error
