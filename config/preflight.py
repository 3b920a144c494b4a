"""What `manage.py up` makes sure of before it starts anything."""

import fcntl
import json
import os
import pwd
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from config.embedded import ROOTS_USER
from config.front import CADDY


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


def check_database_owner(folder: Path) -> None:
    """PostgreSQL serves only its own user's files. Call it before anything is changed."""
    try:
        owner = (folder / "PG_VERSION").stat().st_uid
    except FileNotFoundError:
        return
    except PermissionError:  # the folder is for its owner alone
        owner = folder.stat().st_uid
    ours = os.geteuid() or _uid_of(ROOTS_USER)
    if owner != ours:
        name = _name_of(owner)
        who = "root" if name == ROOTS_USER else name
        raise CannotStart(
            f"The database in {folder} belongs to the user {name}: "
            f"run `manage.py up` as {who}, as before, or set QUERN_DATA_DIR to another folder."
        )


def not_ours(path: Path) -> CannotStart:
    return CannotStart(
        f"{path} belongs to the user {_name_of(path.stat().st_uid)} and cannot be opened: "
        "run `manage.py up` as that user, as before, or set QUERN_DATA_DIR to another folder."
    )


def _uid_of(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Hold the data directory for this process alone. The kernel lets go of it whenever the process ends."""
    # Python opens it close-on-exec: no child inherits the lock.
    try:
        file = (data / "up.lock").open("a")
    except PermissionError as error:
        raise not_ours(data / "up.lock") from error
    with file:
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
    for name, pid in pids.items():
        if name == "postgres":  # killed, it would have to recover; EmbeddedPostgres.prepare asks it to stop
            continue
        try:
            # Another program may have the number by now.
            if psutil.Process(pid).environ().get("QUERN_DATA_DIR") == str(data) and os.getpgid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)
        except (psutil.Error, ProcessLookupError):
            continue
    pids_file.unlink(missing_ok=True)


def check_front() -> None:
    if not CADDY.exists():
        raise CannotStart(
            f"There is no {CADDY}, which holds requests while a web process is replaced: "
            "install requirements.txt again, or leave out --front."
        )


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
