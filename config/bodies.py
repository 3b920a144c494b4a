"""Bodies that come slowly hold a few threads of a web process, and all else is answered meanwhile.

granian hands a request on with its head; the thread that then reads the body waits for it, however long the
client takes: nothing ends that but the client's going, and to answer before it is read stops the process
(granian 2.8.7). So only some may read at once, of which one client has half. The others wait for a moment, as
nearly every body has come with its head, and are told to come back.

A deadline for a body is not to be had simply. granian has no such setting, and tells an application neither
the socket nor the client's port, so nobody else could end a read that waits. Behind Caddy (`config.front`)
predictions, feedback and labels of up to 8 MiB hold no place while they come, for it reads them whole first.
For all else its `read_timeout` would end the read (2.11.7), but the client is told nothing and waits on, and
there is one for all routes, uploads of 2 GiB among them: its `request_body` takes none for a route.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from prometheus_client import Counter as Figure

from config.proxy import Application

# With those that serving.services.admission lets in, fewer than WEB_THREADS.
PLACES = 8
OF_ONE = 4
ROOM_SECONDS = 0.05
PART = 256 * 1024  # bytes that are read in one turn: a large upload gives its place back in between

BUSY = "Too many requests are sending their bodies slowly at the moment. Try again in 1 s."
_REFUSED = Figure("quern_bodies_refused", "Requests turned away: too many bodies came slowly.", ["status"])


class NotRead(OSError):
    """Django takes it for a broken connection, and reads no further."""


class Readers:
    """Who reads a body now, in this process."""

    def __init__(self, places: int = PLACES, of_one: int = OF_ONE) -> None:
        self._places = places
        self._of_one = of_one
        self._reading: Counter[str] = Counter()
        self._room = threading.Condition()

    @contextmanager
    def entered(self, client: str) -> Iterator[None]:
        """Raises NotRead when there is no place in time."""
        with self._room:
            if not self._room.wait_for(lambda: self._has_room(client), ROOM_SECONDS):
                raise NotRead(BUSY)
            self._reading[client] += 1
        try:
            yield
        finally:
            with self._room:
                self._reading[client] -= 1
                if not self._reading[client]:
                    del self._reading[client]
                self._room.notify_all()

    def _has_room(self, client: str) -> bool:
        return self._reading[client] < self._of_one and self._reading.total() < self._places


readers = Readers()


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...

    def readline(self, size: int, /) -> bytes: ...


class Body:
    """In the place of `wsgi.input`."""

    def __init__(self, stream: Stream, client: str, readers: Readers = readers) -> None:
        self._stream = stream
        self._client = client
        self._readers = readers
        self.refused = False

    def read(self, size: int = -1, /) -> bytes:
        if 0 <= size <= PART:
            return self._part(self._stream.read, size)
        parts = []
        while size and (part := self._part(self._stream.read, PART if size < 0 else min(size, PART))):
            parts.append(part)
            size -= len(part) if size > 0 else 0
        return b"".join(parts)

    def readline(self, size: int = -1, /) -> bytes:
        return self._part(self._stream.readline, size)

    def _part(self, read: Callable[[int], bytes], size: int) -> bytes:
        if self.refused:
            raise NotRead(BUSY)  # whoever asks again has read a part only
        try:
            with self._readers.entered(self._client):
                return read(size)
        except NotRead:
            self.refused = True
            _REFUSED.labels(503).inc()  # with labels, no process has a file before it counts
            raise


def bounded(application: Application) -> Application:
    """Whatever the application makes of a body that it was not given, the client is told why."""

    def answered(wsgi: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if wsgi.get("CONTENT_LENGTH") in (None, "", "0"):
            return application(wsgi, start_response)
        client = wsgi.get("HTTP_AUTHORIZATION") or wsgi.get("REMOTE_ADDR", "")
        body = wsgi["wsgi.input"] = Body(wsgi["wsgi.input"], client)
        answer: Iterable[bytes] = ()
        try:
            answer = application(wsgi, start_response)
        except Exception:
            if not body.refused:
                raise
        if not body.refused:
            return answer
        if hasattr(answer, "close"):
            answer.close()
        # As both APIs name it.
        content = json.dumps({"detail": BUSY, "error": BUSY}).encode()
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            "Retry-After": "1",
        }
        start_response("503 Service Unavailable", list(headers.items()))
        return [content]

    return answered
