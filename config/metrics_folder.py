"""Where the web processes count together, made ready before anything that counts is imported.

prometheus_client decides at its import whether it writes into files; so this comes first in `config.web`.
"""

import os

import psutil

from config.environment import data_dir

FOLDER = data_dir() / "metrics"


def forget_ended() -> None:
    """Counts of processes that have ended: a new server begins at nought, as Prometheus expects it to."""
    for path in FOLDER.glob("*.db"):
        if not psutil.pid_exists(int(path.stem.rpartition("_")[2])):
            path.unlink(missing_ok=True)


FOLDER.mkdir(parents=True, exist_ok=True)
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(FOLDER)
forget_ended()
