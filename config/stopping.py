"""How a person, a terminal that closes, or a container engine asks a command to stop."""

import signal
import threading
from types import FrameType


def asked() -> threading.Event:
    """Set from now on by SIGINT, SIGTERM and SIGHUP."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGTERM, ask)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it on purpose
        signal.signal(signal.SIGHUP, ask)
    return stop
