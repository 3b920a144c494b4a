"""Work handed to the process beside the web processes: some 25 microseconds, no disk, no database, no wait.

What waits stands in the kernel, so that it outlives any process. It is a socket pair that the server opens
before it forks: each of its processes has both ends, and a full queue gives up its oldest to whoever has
something new. A message is small, and always of the same size; what is to be done with it lies in an unnamed
file in memory, whose descriptor travels along and whose size nothing else bounds.
"""

import array
import fcntl
import os
import select
import socket
import struct
import tempfile
import termios
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

# The rollout, its images in this message, and those dropped before it.
_ABOUT = struct.Struct("<qqq")
# Of the kernel's memory, which reckons 768 bytes for a message: 278 wait. At 64 images of 96 x 96 pixels each
# they hold 490 MB at most, and mostly 8.
_KERNEL_BYTES = 106_496  # it takes twice as much, for what it needs itself


@dataclass(frozen=True)
class Handed:
    rollout_id: int
    images: int  # that the challenger does not see if this is dropped
    dropped: int  # of the same rollout, before this one, not told yet
    content: bytes = b""


@dataclass(frozen=True)
class Waiting:
    """The end that is read."""

    _from: socket.socket

    @classmethod
    def inherited(cls, descriptor: int) -> "Waiting":
        """Of a queue that another process has opened."""
        made = socket.socket(fileno=descriptor)
        made.setblocking(False)
        return cls(made)

    @property
    def descriptor(self) -> int:
        return self._from.fileno()

    def close(self) -> None:
        self._from.close()

    def come(self, seconds: float | None = None) -> bool:
        """Whether there is something, as soon as there is, or by then."""
        ready, _, _ = select.select([self._from], [], [], seconds)
        return bool(ready)

    def take(self, most: int) -> list[Handed]:
        """The oldest first."""
        found: list[Handed] = []
        with suppress(BlockingIOError):
            while len(found) < most:
                found.append(self.oldest())
        return found

    def oldest(self, *, read: bool = True) -> Handed:
        """Taken; without its content unless it is read. Raises BlockingIOError if there is none."""
        about, files, _, _ = socket.recv_fds(self._from, _ABOUT.size, 1)
        content = b""
        for file in files:
            try:
                content = os.pread(file, os.fstat(file).st_size, 0) if read else b""
            finally:
                os.close(file)
        rollout_id, images, dropped = _ABOUT.unpack(about)
        return Handed(rollout_id, images, dropped, content)


@dataclass
class Handing:
    _to: socket.socket
    waiting: Waiting
    _dropped: Counter[int] = field(default_factory=Counter)  # images by rollout, for the next message to tell
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _unit: int = 0  # what the kernel reckons for a message; 0 where it does not say

    @classmethod
    def opened(cls) -> "Handing":
        to, from_ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (to, from_):
            end.setblocking(False)
        to.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)
        made = cls(to, Waiting(from_))
        to.send(_ABOUT.pack(0, 0, 0))
        made._unit = _unread(to)
        made.waiting.oldest()
        return made

    def put(self, *, rollout_id: int, images: int, content: bytes) -> int:
        """At once, whatever waits; returns how many images were dropped to make room."""
        dropped = 0
        with self._lock:
            try:
                while not self._sent(rollout_id, images, content):
                    dropped += self._drop_oldest()
            except OSError:  # no memory, or too many descriptors are on their way
                self._dropped[rollout_id] += images
                dropped += images
        return dropped

    def count(self) -> int:
        """Messages that wait; 0 where the kernel does not say."""
        return _unread(self._to) // self._unit if self._unit else 0

    def close(self) -> None:
        self._to.close()
        self.waiting.close()

    def _sent(self, rollout_id: int, images: int, content: bytes) -> bool:
        """Whether there was room. Raises OSError."""
        file = _file_of(content)
        try:
            about = _ABOUT.pack(rollout_id, images, self._dropped[rollout_id])
            socket.send_fds(self._to, [about], [file])
        except BlockingIOError:
            return False
        finally:
            os.close(file)
        del self._dropped[rollout_id]
        return True

    def _drop_oldest(self) -> int:
        try:
            oldest = self.waiting.oldest(read=False)
        except BlockingIOError:  # all was taken just now
            return 0
        self._dropped[oldest.rollout_id] += oldest.images + oldest.dropped
        return oldest.images


def _file_of(content: bytes) -> int:
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("handed")
    else:
        with tempfile.TemporaryFile() as named:
            file = os.dup(named.fileno())
    try:
        written = 0
        while written < len(content):
            written += os.pwrite(file, memoryview(content)[written:], written)
    except OSError:
        os.close(file)
        raise
    return file


def _unread(sender: socket.socket) -> int:
    """Bytes, as the kernel reckons them."""
    found = array.array("i", [0])
    fcntl.ioctl(sender, termios.TIOCOUTQ, found)
    return found[0]
