"""The supervisor with real small processes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from config.supervisor import Program, Supervisor
from tests.e2e.stack import assert_gone

FOREVER = "import time; time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); {FOREVER}"
POLITE = f"import signal, sys; signal.signal(15, lambda *_: sys.exit('stopping')); print('up'); {FOREVER}"
FAMILY = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print('child', child.pid, flush=True)\n"
    "time.sleep(600)\n"
)


class Lines(list[tuple[str, str]]):
    def say(self, name: str, line: str) -> None:
        self.append((name, line))

    def containing(self, part: str) -> list[str]:
        return [line for _, line in list(self) if part in line]


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def supervisor(tmp_path: Path, lines: Lines) -> Iterator[Supervisor]:
    made = Supervisor(
        say=lines.say, pids_file=tmp_path / "pids.json", cwd=tmp_path, first_delay=0.2, longest_delay=0.8
    )
    yield made
    made.stop_all(grace=0.5)


def python(name: str, code: str, **options: int) -> Program:
    return Program(name, [sys.executable, "-u", "-c", code], **options)  # type: ignore[arg-type]  # tier only


def wait_for(supervisor: Supervisor, condition: object, seconds: float = 10.0) -> None:
    assert callable(condition)
    assert supervisor.wait_for(condition, threading.Event(), seconds), "it did not happen in time"


def pids(supervisor: Supervisor) -> dict[str, int]:
    found: dict[str, int] = json.loads(supervisor.pids_file.read_text())
    return found


def test_it_relays_each_line_under_the_name_of_its_program(supervisor: Supervisor, lines: Lines) -> None:
    supervisor.start(
        python("talker", "import sys; print('out'); print('err', file=sys.stderr)" + f"; {FOREVER}")
    )
    wait_for(supervisor, lambda: {("talker", "out"), ("talker", "err")} <= set(lines))


def test_it_restarts_a_killed_program_and_says_so(supervisor: Supervisor, lines: Lines) -> None:
    supervisor.start(python("worker", FOREVER))
    first = pids(supervisor)["worker"]
    os.kill(first, signal.SIGKILL)
    wait_for(supervisor, lambda: lines.containing("restarted"))
    assert lines.containing("was killed by SIGKILL; restarting in 0.2 s")
    assert pids(supervisor)["worker"] != first
    assert psutil.pid_exists(pids(supervisor)["worker"])


def test_it_waits_twice_as_long_after_each_failure_up_to_a_limit(
    supervisor: Supervisor, lines: Lines
) -> None:
    supervisor.start(python("broken", "raise SystemExit(3)"))
    wait_for(supervisor, lambda: len(lines.containing("ended with exit code 3")) >= 5)
    waits = [line.rpartition("restarting in ")[2] for line in lines.containing("exit code 3")]
    assert waits[:5] == ["0.2 s", "0.4 s", "0.8 s", "0.8 s", "0.8 s"]


def test_it_starts_over_with_the_short_wait_after_a_healthy_time(
    supervisor: Supervisor, lines: Lines
) -> None:
    supervisor.healthy_after = 0.0
    supervisor.start(python("lasting", "raise SystemExit(3)"))
    wait_for(supervisor, lambda: len(lines.containing("exit code 3")) >= 3)
    assert all(line.endswith("restarting in 0.2 s") for line in lines.containing("exit code 3"))


def test_it_leaves_none_of_a_dead_programs_own_processes_behind(supervisor: Supervisor, lines: Lines) -> None:
    supervisor.start(python("family", FAMILY))
    wait_for(supervisor, lambda: lines.containing("child"))
    grandchild = psutil.Process(int(lines.containing("child")[0].split()[1]))
    os.kill(pids(supervisor)["family"], signal.SIGKILL)
    wait_for(supervisor, lambda: lines.containing("restarting"))
    assert_gone([grandchild], within=2)


def test_it_kills_what_does_not_stop_when_asked(supervisor: Supervisor, lines: Lines) -> None:
    supervisor.start(python("stubborn", STUBBORN))
    supervisor.start(python("family", FAMILY))
    wait_for(supervisor, lambda: lines.containing("deaf") and lines.containing("child"))
    everything = psutil.Process().children(recursive=True)
    ours = [p for p in everything if p.cwd() == str(supervisor.cwd)]
    assert len(ours) == 3
    supervisor.stop_all(grace=0.5)
    assert lines.containing("did not stop within 0.5 s and is killed")
    assert_gone(ours, within=1)
    assert not supervisor.pids_file.exists()


def test_it_stops_what_stands_on_others_first(supervisor: Supervisor, lines: Lines) -> None:
    supervisor.start(python("database", POLITE, tier=0))
    supervisor.start(python("web", POLITE, tier=1))
    wait_for(supervisor, lambda: len(lines.containing("up")) == 2)
    supervisor.stop_all()
    assert [name for name, line in lines if line == "stopping"] == ["web", "database"]


def test_it_runs_a_program_once_and_keeps_the_others_going(supervisor: Supervisor, lines: Lines) -> None:
    supervisor.start(python("other", FOREVER))
    os.kill(pids(supervisor)["other"], signal.SIGKILL)
    code = supervisor.run(
        python("once", "import time; time.sleep(1); raise SystemExit(7)"), threading.Event()
    )
    assert code == 7
    assert lines.containing("restarted")


def test_its_children_die_with_it_when_it_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from config.supervisor import Program, Supervisor\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "s = Supervisor(say=lambda *_: None, pids_file=folder / 'pids.json', cwd=folder)\n"
        f"s.start(Program('child', [sys.executable, '-c', {FOREVER!r}]))\n"
        "print('started', flush=True)\n"
        "time.sleep(600)\n"
    )
    root = Path(__file__).resolve().parents[2]
    killed = subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    with killed, killed.stdout:
        assert killed.stdout.readline() == "started\n"
        time.sleep(0.3)
        child = psutil.Process(json.loads((tmp_path / "pids.json").read_text())["child"])
        killed.kill()
    assert_gone([child], within=5)
