"""The command line of every process of Quern, once: `up`, `serve` and the containers read it here."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from config.environment import BASE_DIR

# Celery queue: tasks at a time. A training, which people wait for, never stands behind a large import.
QUEUES = {"default": 2, "embedding": 2, "learning": 1}
# What else their workers do when they are free: help a training to search a big pool.
ALSO = {"embedding": ["search"], "learning": ["search"]}


# Of a web process: more than serving.services.admission and config.bodies let in, so that the rest goes on.
WEB_THREADS = 28
# They look for changes, load models and keep records.
OTHER_THREADS = 3
SPARE_CONNECTIONS = 40  # for workers, beat, what comes after answers, commands and people


def database_connections(web_workers: int) -> int:
    """As many as there may be at once: each thread keeps its own."""
    return web_workers * (WEB_THREADS + OTHER_THREADS) + SPARE_CONNECTIONS


def web(host: str = "127.0.0.1", port: int = 8000, workers: int = 2) -> list[str]:
    return [
        *(sys.executable, "-m", "config.web"),
        *("--host", host, "--port", str(port), "--workers", str(workers)),
    ]


def fronted(host: str, port: int, workers: int) -> list[str]:
    """The web server and the front that holds its clients' requests (`config.front`)."""
    return [
        *(sys.executable, "-m", "config.fronted"),
        *("--host", host, "--port", str(port), "--workers", str(workers)),
    ]


def web_behind(folder: Path, workers: int) -> list[str]:
    """The same behind a front, in whose folder each of its processes has a socket."""
    return [sys.executable, "-m", "config.web", "--sockets", str(folder), "--workers", str(workers)]


def web_socket(folder: Path, number: int) -> Path:
    return folder / f"web-{number}.sock"


def afterwards(descriptor: int) -> list[str]:
    """Beside the web processes of each machine, which start it: it reads what they put there."""
    return [sys.executable, str(BASE_DIR / "manage.py"), "afterwards", "--waiting", str(descriptor)]


def worker(queue: str) -> list[str]:
    queues = ",".join([queue, *ALSO.get(queue, [])])
    return [
        *(sys.executable, "-m", "celery", "-q", "-A", "config", "worker", "-Q", queues, "-n", f"{queue}@%h"),
        *("--pool=threads", f"--concurrency={QUEUES[queue]}"),
        *("--without-gossip", "--without-mingle", "--loglevel=info"),
    ]


def beat() -> list[str]:
    # Without a pid file: one that a killed beat left behind would keep the next one from starting.
    return [sys.executable, "-m", "celery", "-q", "-A", "config", "beat", "--pidfile=", "--loglevel=info"]


# What stands beside the web server, by the name it has in the logs, in `serve` and in docker-compose.yml.
BACKGROUND: dict[str, Callable[[], list[str]]] = {
    **{f"worker-{queue}": partial(worker, queue) for queue in QUEUES},
    "beat": beat,
}
