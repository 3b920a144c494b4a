"""A real web server of two processes, as `up` and the containers start it, on the test's database."""

import http.client
import json
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from django.db import connection

from config import processes
from tests.serving.conftest import Service, until
from tests.serving.trained import DARK, picture

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Web:
    service: Service
    port: int
    process: subprocess.Popen[bytes]

    @property
    def workers(self) -> list[psutil.Process]:
        """Those that answer, with a front or without."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        of_it = [one for one in below if (parent := one.parent()) and "config.web" in cmdline(parent)]
        return [one for one in of_it if "afterwards" not in cmdline(one)]

    @property
    def beside(self) -> list[psutil.Process]:
        """The process that does what comes after answers, while it lives."""
        children = psutil.Process(self.process.pid).children()
        return [one for one in children if "afterwards" in cmdline(one)]

    def ask(self, headers: Mapping[str, str] | None = None) -> tuple[int, dict[str, str], dict[str, object]]:
        """Status, headers and body of a prediction, over a connection of its own; status 0 without one."""
        sent = {"Authorization": f"Bearer {self.service.plain}", "Content-Type": "image/png"}
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            client.request("POST", self.service.predict_path, picture(DARK), {**sent, **(headers or {})})
            response = client.getresponse()
            return response.status, dict(response.headers), json.loads(response.read())
        except OSError:
            return 0, {}, {}
        finally:
            client.close()

    def get(self, path: str) -> tuple[int, bytes]:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            client.request("GET", path)
            response = client.getresponse()
            return response.status, response.read()
        except OSError:
            return 0, b""
        finally:
            client.close()


def cmdline(process: psutil.Process) -> list[str]:
    """Empty once it has ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@contextmanager
def web_running(
    service: Service, environment: Mapping[str, str] | None = None, front: bool = False
) -> Iterator[Web]:
    """Both of its processes have loaded the champion."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database = os.environ["DATABASE_URL"].rpartition("/")[0] + "/" + connection.settings_dict["NAME"]
    process = subprocess.Popen(
        (processes.fronted if front else processes.web)("127.0.0.1", port, 2),
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database, **(environment or {})},
    )
    web = Web(service, port, process)
    try:
        until(lambda: all(web.get("/health/ready")[0] == 200 for _ in range(24)), 120)
        yield web
    finally:
        process.terminate()
        process.wait(30)
