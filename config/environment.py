"""Where Quern's parts are: read from the environment, else from what a running `manage.py up` wrote down.

`up` starts PostgreSQL and Redis itself unless told otherwise, so their addresses are known only once it runs.
It writes them into the data folder; other commands on the same machine find them there.
"""

import json
import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent


def data_dir() -> Path:
    return Path(os.environ.get("QUERN_DATA_DIR") or BASE_DIR / "var").resolve()


def runtime_file(data: Path) -> Path:
    return data / "runtime.json"


# Variables found in the file, not given to this process: `up` must not take its predecessor's for its own.
FROM_RUNTIME: set[str] = set()


def load_runtime() -> None:
    """Add what a running `up` wrote to the environment; what is already set wins."""
    path = runtime_file(data_dir())
    try:
        runtime = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    for name, value in runtime.items():
        if name not in os.environ:
            os.environ[name] = value
            FROM_RUNTIME.add(name)
