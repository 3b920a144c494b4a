"""Clients that never send the end of their bodies: all others are answered meanwhile."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from config.bodies import BUSY, Body, NotRead, Readers
from serving.models import Prediction
from serving.services.keys import key_create
from tests.serving.conftest import Service, until
from tests.serving.web import Web, web_running

SLOW = 60
Answer = tuple[int, dict[str, str], dict[str, object]]
TOLD = json.dumps({"detail": BUSY, "error": BUSY}).encode()


@contextmanager
def half_sent(web: Web, head: str, number: int = SLOW) -> Iterator[list[socket.socket]]:
    """Connections of their own, each with a request whose body has begun."""
    with ExitStack() as stack:
        clients = []
        for _ in range(number):
            client = stack.enter_context(closing(socket.create_connection(("127.0.0.1", web.port), 30)))
            lines = f"{head}\r\nHost: 127.0.0.1\r\nContent-Length: 4000\r\n\r\n"
            client.sendall(lines.encode() + b"x" * 2000)
            clients.append(client)
        yield clients


def quickly(web: Web, path: str) -> int:
    """Within a second; the machine may be busy, so a little more."""
    client = http.client.HTTPConnection("127.0.0.1", web.port, timeout=3)
    with closing(client):
        client.request("GET", path)
        answer = client.getresponse()
        answer.read()
        return answer.status


@pytest.mark.django_db(transaction=True)
def test_whoever_never_sends_the_end_of_a_body_keeps_nobody_else(service: Service) -> None:
    heads = {
        f"POST {service.predict_path}": "image/png",
        f"POST /v2/models/{service.project.slug}/infer": "application/json",
        f"POST {service.predict_path}ions/{Prediction().id}/feedback": "application/json",
        "POST /login/": "application/x-www-form-urlencoded",
    }
    with web_running(service, {"QUERN_EMBEDDED": "true"}) as web:
        for asked, kind in heads.items():
            head = f"{asked} HTTP/1.1\r\nAuthorization: Bearer {service.plain}\r\nContent-Type: {kind}"
            keeps_nobody_else(web, f"{head}\r\nCookie: csrftoken={'a' * 32}")


def keeps_nobody_else(web: Web, head: str) -> None:
    with half_sent(web, head) as slow:
        time.sleep(0.5)
        pages = {"/health/live": 200, "/health/ready": 200, "/metrics": 200, "/": 302}
        for path, status in [*pages.items()] * 8:
            assert quickly(web, path) == status, (path, head)
        # The same client is told to come back, others are answered.
        for _ in range(10):
            status, headers, body = timed(web.ask)
            assert (status, headers["retry-after"], body["detail"]) == (503, "1", BUSY), head
        _, plain = key_create(project=web.service.project, name="others", user=None)
        other = {"Authorization": f"Bearer {plain}"}
        assert [timed(lambda: web.ask(other))[0] for _ in range(20)] == [200] * 20, head
        told = [client.recv(4096) for client in slow if has_come(client)]
        assert len(told) > SLOW / 2, head
        for answer in told:
            assert answer.startswith(b"HTTP/1.1 503 Service Unavailable")
            assert b"retry-after: 1" in answer
            assert answer.endswith(TOLD)
    # All is as before.
    until(lambda: web.ask()[0] == 200, 10)
    assert [web.ask()[0] for _ in range(20)] == [200] * 20, head


def timed(ask: Callable[[], Answer]) -> Answer:
    began = time.monotonic()
    answer = ask()
    assert time.monotonic() - began < 3
    return answer


def has_come(client: socket.socket) -> bool:
    client.settimeout(0.01)
    try:
        return bool(client.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False


class Sent:
    """Gives what has been sent, and waits for the rest."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.sent = b""

    def read(self, size: int) -> bytes:
        self.go_on.wait(30)
        part, self.sent = self.sent[:size], self.sent[size:]
        return part

    def readline(self, size: int) -> bytes:
        return self.read(size)

    def send(self, data: bytes) -> "Sent":
        self.sent += data
        self.go_on.set()
        return self


def test_a_body_that_comes_is_read_whole() -> None:
    data = bytes(range(256)) * 5_000
    assert Body(Sent().send(data), "a").read(len(data) + 1) == data
    assert Body(Sent().send(data), "a").read() == data
    body = Body(Sent().send(data), "a")
    assert body.read(7) + body.read(0) + body.read(9) == data[:16]
    assert body.readline(4) == data[16:20]


def test_one_client_has_half_of_the_places_and_gives_them_back() -> None:
    readers = Readers(places=2, of_one=1)
    slow = {name: Sent() for name in ("a", "b")}
    threads = [
        threading.Thread(target=Body(sent, name, readers).read, args=(1,)) for name, sent in slow.items()
    ]
    threads[0].start()
    until(lambda: readers._reading.total() == 1)
    body = Body(Sent().send(b"x"), "a", readers)
    for _ in range(2):
        with pytest.raises(NotRead, match="Try again"):
            body.read(1)
    assert Body(Sent().send(b"x"), "b", readers).read(1) == b"x"
    threads[1].start()
    until(lambda: readers._reading.total() == 2)
    with pytest.raises(NotRead, match="Try again"):
        Body(Sent().send(b"x"), "c", readers).read(1)
    slow["a"].send(b"x")
    threads[0].join(5)
    assert Body(Sent().send(b"x"), "c", readers).read(1) == b"x"
    slow["b"].send(b"x")
    threads[1].join(5)
    assert not readers._reading
