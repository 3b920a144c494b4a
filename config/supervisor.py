"""Keep child processes running, and leave none behind. Knows nothing of what they are."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

LEASH = Path(__file__).with_name("leash.py")


@dataclass(frozen=True)
class Program:
    """What to run. Programs of a higher tier stand on those of a lower one, and are stopped before them."""

    name: str
    argv: list[str]
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    tier: int = 1
    user: str = "-"
    stop_signal: signal.Signals = signal.SIGTERM
    # What the kernel sends when the supervisor dies without a word. A program with processes of its own gets
    # TERM, so that it can take them along; one that would first finish its work gets KILL.
    death_signal: signal.Signals = signal.SIGTERM


@dataclass
class _Child:
    program: Program
    process: subprocess.Popen[bytes]
    reader: threading.Thread
    started: float
    delay: float
    restart_at: float | None = None


@dataclass
class Supervisor:
    """Call `step` a few times a second, from the thread that called `start`: the kernel ties a child's life
    to the thread that made it.
    """

    say: Callable[[str, str], object]  # (name of the child, one line)
    pids_file: Path
    cwd: Path
    first_delay: float = 1.0
    longest_delay: float = 30.0
    healthy_after: float = 60.0
    _children: dict[str, _Child] = field(default_factory=dict, init=False)

    def start(self, program: Program) -> None:
        """Start the program and keep it running until it is stopped."""
        self._children[program.name] = self._spawn(program, self.first_delay)
        self._write_pids()

    def step(self) -> None:
        """Notice who died; restart whose time has come."""
        now = time.monotonic()
        for name, child in self._children.items():
            if child.restart_at is None and child.process.poll() is not None:
                self._bury(child)
                if now - child.started >= self.healthy_after:
                    child.delay = self.first_delay
                child.restart_at = now + child.delay
                self.say(name, f"{_how_it_ended(child.process.returncode)}; restarting in {child.delay:g} s")
            elif child.restart_at is not None and now >= child.restart_at:
                delay = min(child.delay * 2, self.longest_delay)
                self._children[name] = self._spawn(child.program, delay)
                self._write_pids()
                self.say(name, "restarted")

    def run(self, program: Program, stop: threading.Event) -> int:
        """Run the program to its end or until `stop`, keeping the others running. Returns its exit code."""
        child = self._spawn(program, 0.0)
        while child.process.poll() is None and not stop.wait(0.05):
            self.step()
        self._end([child], grace=5.0)
        return child.process.returncode

    def wait_for(self, ready: Callable[[], bool], stop: threading.Event, timeout: float) -> bool:
        """Whether `ready` came true before `stop` or the timeout (seconds), with everything kept running."""
        deadline = time.monotonic() + timeout
        while not ready():
            if stop.wait(0.05) or time.monotonic() > deadline:
                return False
            self.step()
        return True

    def stop_all(self, grace: float = 10.0) -> None:
        """Stop everything, tier by tier; after `grace` seconds, kill what is left, with all its processes."""
        for tier in sorted({child.program.tier for child in self._children.values()}, reverse=True):
            self._end([c for c in self._children.values() if c.program.tier == tier], grace)
        self._children.clear()
        self.pids_file.unlink(missing_ok=True)

    def _spawn(self, program: Program, delay: float) -> _Child:
        leash = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), str(int(program.death_signal))]
        process = subprocess.Popen(
            [*leash, program.user, *program.argv],
            env=dict(program.env),
            cwd=self.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        reader = threading.Thread(target=self._relay, args=(program.name, process), daemon=True)
        reader.start()
        return _Child(program, process, reader, time.monotonic(), delay)

    def _relay(self, name: str, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is None:
            return
        with process.stdout as lines:
            for line in lines:
                self.say(name, line.decode(errors="replace").rstrip())

    def _end(self, children: Iterable[_Child], grace: float) -> None:
        children = list(children)
        for child in children:
            if child.process.poll() is None:
                child.process.send_signal(child.program.stop_signal)
        deadline = time.monotonic() + grace
        for child in children:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(child.program.name, f"did not stop within {grace:g} s and is killed")
                self._bury(child)
                child.process.wait()
            self._bury(child)
            child.reader.join(1.0)

    def _bury(self, child: _Child) -> None:
        """Kill whatever is left of the child's process group, which it led."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, signal.SIGKILL)

    def _write_pids(self) -> None:
        pids = {name: c.process.pid for name, c in self._children.items() if c.restart_at is None}
        temporary = self.pids_file.with_suffix(".new")
        temporary.write_text(json.dumps(pids))
        temporary.replace(self.pids_file)


def _how_it_ended(code: int) -> str:
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
