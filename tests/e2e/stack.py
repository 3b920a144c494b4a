"""A real `manage.py up` of a test's own: its own data, its own port, its own environment."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import psutil

ROOT = Path(__file__).resolve().parents[2]
# What the test run itself was given by tests/real_parts.
FOREIGN = (
    *("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE"),
    *("QUERN_SECRET_KEY", "QUERN_EMBEDDED", "QUERN_STORAGE", "QUERN_DATA_DIR", "QUERN_TEST_RUN"),
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """Use as a context manager, or call `start` and `stop`. Output is kept in `output`.

    `folder` had better not be a `tmp_path`: as root, PostgreSQL has a user of its own, and each pytest that
    starts takes the way into pytest's folders from other users. Use `tempfile.TemporaryDirectory`.
    """

    def __init__(
        self, folder: Path, demo: str = "none", port: int | None = None, options: Sequence[str] = ()
    ) -> None:
        self.data = folder
        self.demo = demo
        self.options = options  # more of them, for `up`
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output: list[str] = []
        self.kept: dict[str, str] = {}  # credentials, of a folder that an earlier stack began
        self.env = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        self.env["QUERN_DATA_DIR"] = str(folder)
        self._process: subprocess.Popen[str] | None = None

    def launch(self) -> "subprocess.Popen[str]":
        """Start it without waiting."""
        command = [sys.executable, "manage.py", "up", "--demo", self.demo, "--port", str(self.port)]
        command += self.options
        self._process = process = subprocess.Popen(
            command, cwd=ROOT, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.output = []
        self._reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._reader.start()
        return process

    def start(self, timeout: float = 240.0) -> "Stack":
        process = self.launch()
        self.wait_for_line("Quern is ready at", timeout)
        assert process.poll() is None, self.text
        assert self.answers(), self.text
        return self

    def wait_for_line(self, part: str, timeout: float = 60.0, times: int = 1) -> None:
        """Until that many lines of the output contain `part`."""
        deadline = time.monotonic() + timeout
        while sum(part in line for line in list(self.output)) < times:
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                why = "It ended" if ended else f"{timeout:g} s passed"
                raise AssertionError(f"{why} before it said '{part}'. It said:\n{self.text}")
            time.sleep(0.05)

    @property
    def text(self) -> str:
        return "\n".join(self.output)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def pids(self) -> dict[str, int]:
        """The process of each child by name: postgres, redis, web, beat and the workers."""
        found: dict[str, int] = json.loads((self.data / "pids.json").read_text())
        return found

    @property
    def database_url(self) -> str:
        runtime: dict[str, str] = json.loads((self.data / "runtime.json").read_text())
        return runtime["DATABASE_URL"]

    @property
    def credentials(self) -> dict[str, str]:
        """What the first run printed: passwords of admin and annotator; an api_key with a demo."""
        if self.kept:
            return self.kept
        found = dict(re.findall(r"^ *up \| +(admin|annotator) +password (\S+)$", self.text, re.MULTILINE))
        key = re.search(r"^ *up \| +API key +(\S+)$", self.text, re.MULTILINE)
        return {**found, "api_key": key[1]} if key else found

    def answers(self, path: str = "/health/ready") -> bool:
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def manage(
        self, *args: str, check: bool = True, timeout: float = 120.0
    ) -> "subprocess.CompletedProcess[str]":
        """Run a management command against it, as a person in another terminal would."""
        done = subprocess.run(
            [sys.executable, "manage.py", *args],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def processes(self) -> list[psutil.Process]:
        """Every process that works on this data directory, whoever started it, `up` included."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                ours = process.environ().get("QUERN_DATA_DIR") == str(self.data)
                # PostgreSQL's processes overwrite their environment with their title.
                if ours or str(self.data) in " ".join(process.cmdline()):
                    found.append(process)
        return [process for process in found if process.pid != os.getpid()]

    def stop(self, number: signal.Signals = signal.SIGINT, timeout: float = 45.0) -> None:
        """Ask it to stop, as Ctrl-C does; fails if it does not, or if anything of it is left running."""
        if self._process is None:
            return
        everything = self.processes()
        for parent in list(everything):
            with contextlib.suppress(psutil.Error):
                everything += parent.children(recursive=True)
        process, self._process = self._process, None
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(timeout)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            self._reader.join(5)
            assert_gone(everything, within=15.0 if number == signal.SIGKILL else 0.5)

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self.output.append(line.rstrip("\n"))

    def __enter__(self) -> "Stack":
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def assert_gone(processes: list[psutil.Process], within: float) -> None:
    """Every one of them has ended within that many seconds; those that have not are killed, and named."""
    _, left = psutil.wait_procs(set(processes), timeout=within)
    named = []
    for process in left:
        with contextlib.suppress(psutil.Error):
            named.append(f"{process.pid} {' '.join(process.cmdline())[:120]}")
            process.kill()
    assert not named, f"left running: {named}"
