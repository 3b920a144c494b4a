"""`manage.py up`: everything Quern consists of, on this machine, until Ctrl-C."""

import errno
import http.client
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import redis

from config import addresses, demo, preflight, processes, stopping
from config.embedded import EmbeddedPostgres, EmbeddedRedis
from config.environment import BASE_DIR, FROM_RUNTIME, runtime_file
from config.front import Front
from config.private_file import write_private
from config.supervisor import Program, Supervisor

SHARED = (
    *("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "QUERN_SECRET_KEY", "QUERN_EMBEDDED"),
    *("QUERN_STORAGE", "QUERN_S3_ENDPOINT", "QUERN_CACHE_BYTES"),
)


@dataclass(frozen=True)
class Options:
    data: Path
    host: str
    port: int
    demo: str
    web_workers: int
    front: bool


def up(options: Options) -> None:
    """Run until SIGINT, SIGTERM or SIGHUP. Raises preflight.CannotStart with nothing left running."""
    preflight.check_writable(options.data)
    if not _given().get("DATABASE_URL"):
        preflight.check_database_owner(options.data / "postgres")
    with preflight.locked(options.data):
        preflight.end_leftovers(options.data)
        if options.front:
            preflight.check_front()
        preflight.check_port(options.host, options.port)
        try:
            demo.check(options.demo)
        except demo.DemoMissing as missing:
            raise preflight.CannotStart(str(missing)) from missing
        _Launch(options, stopping.asked()).run()


class _Launch:
    def __init__(self, options: Options, stop: threading.Event) -> None:
        self._options = options
        self._stop = stop
        self._data = options.data
        self._env = self._environment()
        self._supervisor = Supervisor(say=_say, pids_file=self._data / "pids.json", cwd=BASE_DIR)
        self._socket_folder: Path | None = None
        self._credentials: dict[str, str] | None = None
        self._shown = False

    def run(self) -> None:
        try:
            if self._start():
                while not self._stop.wait(0.2):
                    self._supervisor.step()
        finally:
            self._show_credentials()
            _say("up", "stopping")
            self._supervisor.stop_all()
            runtime_file(self._data).unlink(missing_ok=True)
            if self._socket_folder:
                shutil.rmtree(self._socket_folder, ignore_errors=True)
            _say("up", "stopped")

    def _environment(self) -> dict[str, str]:
        env = _given()
        env.update(QUERN_DATA_DIR=str(self._data), PYTHONUNBUFFERED="1")
        # This machine only: plain HTTP, unless the person says otherwise.
        env.setdefault("QUERN_EMBEDDED", "true")
        # Whoever names an address to listen on is to be reached at it.
        allowed = [env.get("QUERN_ALLOWED_HOSTS", ""), *addresses.names(self._options.host)]
        env["QUERN_ALLOWED_HOSTS"] = ",".join(filter(None, allowed))
        if not env.get("QUERN_SECRET_KEY"):
            env["QUERN_SECRET_KEY"] = _secret_key(self._data / "secret_key")
        return env

    def _start(self) -> bool:
        """Whether all came up before we were asked to stop."""
        if not self._env.get("DATABASE_URL") and not self._start_postgres():
            return False
        self._start_redis()
        self._write_runtime()
        if self._stop.is_set() or not self._prepare():
            return False
        host, port = self._options.host, self._options.port
        for program in self._web():
            self._supervisor.start(program)
        for name, command in processes.BACKGROUND.items():
            # If we die, nobody is left to wait for a worker that would first finish its work.
            self._supervisor.start(Program(name, command(), self._env, death_signal=signal.SIGKILL))
        if not self._wait("The web server", lambda: _is_ready(addresses.reachable(host), port), 300):
            return False
        _say("up", f"Quern is ready at {addresses.url(host, port)}  (Ctrl-C stops it)")
        self._show_credentials()
        return True

    def _web(self) -> list[Program]:
        host, port, workers = self._options.host, self._options.port, self._options.web_workers
        if not self._options.front:
            return [Program("web", processes.web(host, port, workers), self._env)]
        return Front(host, port, self._sockets() / "front", workers).programs(self._env)

    def _sockets(self) -> Path:
        """The data folder, or another where its path is too long: a Unix socket's may hold little more."""
        if len(os.fsencode(self._data)) <= 80:
            return self._data
        if self._socket_folder is None:
            self._socket_folder = Path(tempfile.mkdtemp(prefix="quern-"))
        return self._socket_folder

    def _start_postgres(self) -> bool:
        """Whether it came up before we were asked to stop."""
        _say("up", "starting PostgreSQL")
        postgres = EmbeddedPostgres(self._data / "postgres")
        try:
            postgres.prepare()
        except (subprocess.SubprocessError, psutil.TimeoutExpired, OSError) as error:
            if self._stop.is_set():
                return False
            raise preflight.CannotStart(
                f"PostgreSQL's folder {postgres.folder} could not be made ready: {_why(error)}."
            ) from error
        self._supervisor.start(
            Program(
                "postgres",
                postgres.command(processes.database_connections(self._options.web_workers)),
                self._env,
                tier=0,
                user=postgres.user(),
                stop_signal=signal.SIGINT,
                death_signal=signal.SIGINT,
            )
        )
        # After a crash it first recovers, which takes as long as it takes.
        if not self._wait("PostgreSQL", lambda: _accepts(postgres.url("postgres")), 600):
            return False
        postgres.make_database("quern")
        self._env["DATABASE_URL"] = postgres.url("quern")
        return True

    def _start_redis(self) -> None:
        """Redis, unless its address is given. A broker that is Redis serves as the cache as well."""
        broker = self._env.get("CELERY_BROKER_URL", "")
        if not self._env.get("REDIS_URL") and broker.startswith("redis"):
            self._env["REDIS_URL"] = broker.replace("redis+socket://", "unix://", 1)
        if not self._env.get("REDIS_URL"):
            _say("up", "starting Redis")
            folder = self._data / "redis"
            folder.mkdir(exist_ok=True)
            path = self._sockets() / "redis.sock"
            command = EmbeddedRedis(folder).command(path)
            self._supervisor.start(Program("redis", command, self._env, tier=0))
            client = redis.Redis(unix_socket_path=str(path))
            self._wait("Redis", lambda: _pings(client), 30)
            client.close()
            self._env["REDIS_URL"] = f"unix://{path}"
        if not broker:
            self._env["CELERY_BROKER_URL"] = self._env["REDIS_URL"].replace("unix://", "redis+socket://", 1)

    def _wait(self, what: str, ready: Callable[[], bool], seconds: float) -> bool:
        """Whether it became ready before we were asked to stop."""
        came = self._supervisor.wait_for(ready, self._stop, seconds)
        if not came and not self._stop.is_set():
            raise preflight.CannotStart(
                f"{what} did not answer within {seconds:g} s; its lines above say why."
            )
        return came

    def _write_runtime(self) -> None:
        path = runtime_file(self._data)
        write_private(path, json.dumps({name: self._env[name] for name in SHARED if name in self._env}))

    def _prepare(self) -> bool:
        _say("up", "preparing the database and the static files")
        # It stays until its passwords have been read: there is no other copy of them.
        report = self._data / "first-run.json"
        manage = [sys.executable, str(BASE_DIR / "manage.py"), "first_run"]
        command = [*manage, "--demo", self._options.demo, "--report", str(report)]
        code = self._supervisor.run(Program("prepare", command, self._env), self._stop)
        if code == 0 and report.exists():
            self._credentials = json.loads(report.read_text())
        if code and not self._stop.is_set():
            raise preflight.CannotStart(
                "Preparing the database failed; the lines of `prepare` above say why."
            )
        return code == 0

    def _show_credentials(self) -> None:
        if not self._credentials or self._shown:
            return
        self._shown = True
        lines = [
            "Made for you just now, and shown only this once:",
            f"  admin      password {self._credentials['admin']}",
            f"  annotator  password {self._credentials['annotator']}",
        ]
        if self._credentials["api_key"]:
            lines.append(f"  API key    {self._credentials['api_key']}")
        read = [_say("up", line) for line in lines]
        if all(read):
            (self._data / "first-run.json").unlink(missing_ok=True)


def _given() -> dict[str, str]:
    """The environment that the person gave, without what a predecessor wrote down."""
    return {name: value for name, value in os.environ.items() if name not in FROM_RUNTIME}


def _why(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        said = (error.stderr or "").strip().splitlines()
        return f"initdb ended with exit code {error.returncode}" + (f" ({said[-1]})" if said else "")
    return str(error)


def _is_ready(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        response = connection.getresponse()
        # A damaged model keeps nobody from the pages, where another can be made.
        return json.loads(response.read())["status"] in ("ready", "pages only")
    except (OSError, ValueError, KeyError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _pings(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def _accepts(database_url: str) -> bool:
    try:
        psycopg.connect(database_url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _secret_key(path: Path) -> str:
    if not path.exists():
        write_private(path, secrets.token_urlsafe(48))
    try:
        return path.read_text()
    except PermissionError as error:
        raise preflight.not_ours(path) from error


_speaking = threading.Lock()
_unheard = threading.Event()


def _say(name: str, line: str) -> bool:
    """Whether anybody could read it."""
    with _speaking:
        try:
            print(f"{name:>15} | {line}", flush=True)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):
                return False  # a full disk: this line is lost, the next one may find room
            # The pipe or the terminal is gone: nobody reads any more; the service goes on.
            _unheard.set()
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return not _unheard.is_set()
