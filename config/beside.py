"""The process beside the web processes of this machine, which comes back when it dies."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from config.processes import afterwards
from config.supervisor import LEASH
from serving.services.handing import Handing

logger = logging.getLogger(__name__)

AFTER_DEATH = 1.0


@dataclass
class _Beside:
    handing: Handing
    _stop: threading.Event = field(default_factory=threading.Event)
    _pid: int | None = None

    def keep(self) -> None:
        """The kernel ties its life to this thread, and so to the server's, however that ends."""
        while not self._stop.is_set():
            self._pid = _spawned(afterwards(self.handing.waiting.descriptor))
            _, status = os.waitpid(self._pid, 0)
            self._pid = None
            if not self._stop.is_set():
                code = os.waitstatus_to_exitcode(status)
                logger.warning("What comes after answers ended (%d); it begins again.", code)
                self._stop.wait(AFTER_DEATH)

    def end(self, thread: threading.Thread) -> None:
        self._stop.set()
        if self._pid is not None:
            # Nobody waits for what it has in hand, and to end by itself it would have to get its turn.
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        thread.join()


@contextmanager
def beside(handing: Handing) -> Iterator[None]:
    """As long as this lasts, there is one."""
    os.set_inheritable(handing.waiting.descriptor, True)
    one = _Beside(handing)
    thread = threading.Thread(target=one.keep, name="beside", daemon=True)
    thread.start()
    try:
        yield
    finally:
        one.end(thread)


def _spawned(command: list[str]) -> int:
    """Not by `subprocess`, which waits until nobody else has the pipe by which it hears of a failure: a web
    process that is forked meanwhile has it for life.
    """
    leash = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), str(int(signal.SIGKILL)), "-"]
    argv = [*leash, *command]
    nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    # A session of its own: some systems share the processors among sessions first (config.priority).
    return os.posix_spawn(argv[0], argv, os.environ, file_actions=[nothing], setsid=sys.platform == "linux")
