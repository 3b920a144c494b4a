"""`manage.py up`, for real: started, refused, hurt, stopped, killed and started again."""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from config import processes
from tests.e2e.database import ask
from tests.e2e.stack import Stack

# A start takes ten seconds on a quiet machine, and minutes on a busy one.
pytestmark = pytest.mark.timeout(900)
ALL_SEEN = """
import time
from labelling.services.workers import workers_seen
deadline = time.monotonic() + 100
while not workers_seen().keys() >= {"beat", "default", "embedding", "learning"}:
    assert time.monotonic() < deadline, workers_seen()
    time.sleep(0.1)
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One data directory for the tests of this module, in their order. A test starts it, and stops it.

    Not in pytest's folder: as root, PostgreSQL has a user of its own, whom the next pytest shuts out.
    """
    with tempfile.TemporaryDirectory(prefix="quern-up-") as folder:
        made = Stack(Path(folder) / "data", options=["--front"])
        yield made
        made.stop()


def restarted(stack: Stack, name: str, before: int) -> bool:
    return stack.pids.get(name, before) != before


def refused(stack: Stack, *options: str) -> str:
    """The one sentence with which `up` refuses to start."""
    done = stack.manage("up", *options, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.endswith(".\n") or done.stderr.endswith(").\n"), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def eventually(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_it_refuses_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        sentence = refused(Stack(tmp_path / "data"), "--port", str(port))
    assert f"Port {port} on 127.0.0.1 cannot be used" in sentence


def test_it_refuses_a_data_directory_that_cannot_be_written(tmp_path: Path) -> None:
    # Under a regular file no folder can be made, not even by root.
    (tmp_path / "file").write_text("")
    sentence = refused(Stack(tmp_path / "file" / "data"))
    assert f"The data directory {tmp_path}/file/data cannot be written to (Not a directory)" in sentence


def test_it_refuses_a_foreign_database_without_a_secret_of_ones_own(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "data")
    stack.env["DATABASE_URL"] = "postgresql://nowhere/quern"
    assert "QUERN_SECRET_KEY is not set" in refused(stack)


def test_it_refuses_a_database_of_another_user_and_touches_nothing(tmp_path: Path) -> None:
    postgres = tmp_path / "data" / "postgres"
    postgres.mkdir(parents=True)
    # A file of root's, who never owns a database.
    (postgres / "PG_VERSION").symlink_to("/etc/passwd")
    sentence = refused(Stack(tmp_path / "data"))
    assert f"The database in {postgres} belongs to the user root: run `manage.py up` as root" in sentence
    assert [path.name for path in tmp_path.rglob("*")] == ["data", "postgres", "PG_VERSION"]


def test_it_starts_everything_mends_what_dies_and_killed_outright_leaves_nothing_running(
    stack: Stack,
) -> None:
    stack.start()
    assert set(stack.credentials) == {"admin", "annotator"}
    assert set(stack.pids) == {
        *("postgres", "redis", "web", "front", "beat"),
        *("worker-default", "worker-embedding", "worker-learning"),
    }
    for private in ("secret_key", "runtime.json"):
        assert (stack.data / private).stat().st_mode & 0o777 == 0o600
    assert "Another `manage.py up` is running" in refused(stack)
    assert niceness(stack, "web") == 0
    assert {niceness(stack, f"worker-{queue}") for queue in ("default", "embedding", "learning")} == {10}
    # Other commands find the parts by themselves.
    stack.manage("shell", "-c", ALL_SEEN)

    before = stack.pids
    web_worker = web_processes(stack)[-1]
    web_worker.kill()
    for name in ("worker-learning", "redis", "postgres"):
        os.kill(before[name], signal.SIGKILL)
    for name in ("worker-learning", "redis", "postgres"):
        eventually(partial(restarted, stack, name, before[name]))
    eventually(lambda: all(stack.answers() for _ in range(8)))
    # granian itself replaces a worker; the supervisor did not need to.
    assert stack.pids["web"] == before["web"]
    eventually(lambda: len(web_processes(stack)) == 2)
    # The workers find Redis again, whoever of them had to be restarted for it.
    afresh = "from django.core.cache import cache; cache.clear()"
    # And the database, whose connections they keep: what they look for in it is found.
    make = "from tests.factories import project; project()"
    stack.manage("shell", "-c", "\n".join((afresh, ALL_SEEN, make)))
    assert ask(stack, "show max_connections") == str(processes.database_connections(2))
    eventually(lambda: ask(stack, "select count(*) from learning_learner") == 1)
    stack.stop(signal.SIGKILL)
    assert (stack.data / "runtime.json").exists()


def niceness(stack: Stack, name: str) -> int:
    """Of all threads of a process, and of its session where that has one."""
    pid = stack.pids[name]
    found = {os.getpriority(os.PRIO_PROCESS, int(thread)) for thread in os.listdir(f"/proc/{pid}/task")}
    session = Path(f"/proc/{pid}/autogroup")
    if session.exists():  # "/autogroup-25 nice 10"
        found.add(int(session.read_text().split()[-1]))
    assert len(found) == 1, found
    return found.pop()


def web_processes(stack: Stack) -> list[psutil.Process]:
    children = psutil.Process(stack.pids["web"]).children()
    others = ("resource_tracker", "afterwards")
    return [child for child in children if not any(other in " ".join(child.cmdline()) for other in others)]


def test_after_a_kill_the_next_one_finds_the_data(stack: Stack) -> None:
    count = "from labelling.models import User; print(*User.objects.values_list('username', flat=True))"
    stack.start()
    assert stack.credentials == {}
    assert "admin annotator" in stack.manage("shell", "-v0", "-c", count).stdout
    stack.stop(signal.SIGTERM)
    assert not (stack.data / "runtime.json").exists()
    assert not (stack.data / "pids.json").exists()


def test_it_stops_cleanly_when_asked_before_it_is_ready(stack: Stack) -> None:
    process: subprocess.Popen[str] = stack.launch()
    stack.wait_for_line("preparing the database")
    stack.stop(signal.SIGTERM)
    assert process.returncode == 0
    assert stack.output[-1].endswith("| stopped")
