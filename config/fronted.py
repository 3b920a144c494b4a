"""The web server and its front as one process, for a container: what `up` does with them on one machine."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from config import preflight, stopping
from config.environment import BASE_DIR
from config.front import Front
from config.supervisor import Supervisor


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m config.fronted", description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True, help="web processes")
    options = parser.parse_args()
    try:
        preflight.check_front()
        preflight.check_port(options.host, options.port)
    except preflight.CannotStart as reason:
        sys.exit(str(reason))
    stop = stopping.asked()
    with tempfile.TemporaryDirectory(prefix="quern-") as made:
        folder = Path(made)
        supervisor = Supervisor(say=_say, pids_file=folder / "pids.json", cwd=BASE_DIR)
        try:
            for program in Front(options.host, options.port, folder / "front", options.workers).programs(
                os.environ
            ):
                supervisor.start(program)
            while not stop.wait(0.2):
                supervisor.step()
        finally:
            supervisor.stop_all()


def _say(name: str, line: str) -> None:
    print(f"{name} | {line}", flush=True)


if __name__ == "__main__":
    main()
