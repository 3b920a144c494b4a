"""The web server. The application is loaded here, once, before granian forks its processes: they share its
memory, and one that comes in the place of a dead one answers at once.
"""

import argparse
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.core.signals import request_finished
from django.db import close_old_connections
from granian._granian import ListenerSpec, SocketHolder, UnixListenerSpec
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.mp import MPServer, WorkerProcess

import config.metrics_folder  # noqa: F401  # first: what counts decides at its import where to
from config.beside import beside
from config.processes import WEB_THREADS, web_socket
from config.wsgi import application
from serving.services.afterwards import afterwards
from serving.services.champions import champions
from serving.services.handing import Handing
from serving.services.prediction_log import spool

__all__ = ["application"]

Target = Callable[..., object]

# A process that dies within a second of its start waits for another before the next.
SECOND = 1.0
# Until a signal that has woken nobody is seen.
LOOK_SECONDS = 0.2

# Old and broken connections are closed as a request begins: once is enough.
request_finished.disconnect(close_old_connections)

# Each process begins to load the champions when it is forked, not when the first client asks.
os.register_at_fork(after_in_child=champions.start)
os.register_at_fork(after_in_child=spool.start)


class Interrupt(threading.Event):
    """What the main thread of the server waits for. It looks up now and then: a signal that the kernel hands
    to another thread does not wake it, and one may come just before granian takes the last one for done.
    """

    def __init__(self, ended: Callable[[], bool]) -> None:
        super().__init__()
        self._ended = ended

    def wait(self, timeout: float | None = None) -> bool:
        while not (super().wait(LOOK_SECONDS) or self._ended()):
            pass
        return True


class Server(MPServer):
    """granian gives up, with all its processes, when one dies twice within seconds: here it comes back.

    On Linux each process opens a listening socket of its own, which shares connections evenly and takes with
    it those that wait when it is killed (granian's issues 544, 567). Here the sockets are opened once and
    stay: what waits at one is answered by the process that comes in the place of the killed one.
    """

    _begun: float = 0.0
    _listening: Sequence[SocketHolder] = ()
    _shd: Any = None  # the socket of the next process; granian has no type for it

    def __init__(self, *args: Any, sockets: Path | None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._sockets = sockets
        self.main_loop_interrupt = Interrupt(lambda: self.interrupt_signal)

    def signal_handler_interrupt(self, *args: object, **kwargs: object) -> None:
        # It takes no lock: the main thread, in which it runs, may just hold the event's.
        self.interrupt_signal = True

    def _init_shared_socket(self) -> None:
        self._listening = [self._listen(number) for number in range(self.workers)]
        self._ssp = self._sso = None

    def _listen(self, number: int) -> SocketHolder:
        if self._sockets is None:
            return ListenerSpec(self.bind_addr, self.bind_port, self.backlog).build()
        path = web_socket(self._sockets, number)
        path.unlink(missing_ok=True)  # a killed server's
        return UnixListenerSpec(str(path), self.backlog, 0o600).build()

    def _spawn_worker(self, idx: int, *args: Any, **options: Any) -> WorkerProcess:
        self._shd = self._listening[idx]
        return super()._spawn_worker(idx, *args, **options)

    def _respawn_workers(
        self, workers: list[int], spawn_target: Target, target_loader: Target, delay: float = 0
    ) -> None:
        if time.monotonic() - self._begun < SECOND:
            time.sleep(SECOND)
        super()._respawn_workers(workers, spawn_target, target_loader, delay)
        self._begun = time.monotonic()
        self.respawned_wrks.clear()  # what it counts by


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m config.web", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--sockets", type=Path, help="instead, the folder to listen in, behind a front")
    parser.add_argument("--workers", type=int, required=True, help="processes")
    options = parser.parse_args()
    server = Server(
        "config.wsgi:behind_front" if options.sockets else "config.wsgi:application",
        sockets=options.sockets,
        address=options.host,
        port=options.port,
        interface=Interfaces.WSGI,
        workers=options.workers,
        blocking_threads=WEB_THREADS,
        backlog=1024,
        websockets=False,
        log_access=False,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        # One that does not stop is killed, after so many seconds.
        workers_kill_timeout=8,
    )
    afterwards.beside = handing = Handing.opened()
    with beside(handing):
        server.serve()


if __name__ == "__main__":
    main()
