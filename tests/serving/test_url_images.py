"""Images by URL, from real servers on this machine: what the guard lets through, and what a server can do."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme
from django.conf import LazySettings

from serving.core.network import UrlRefused
from serving.models import Prediction
from serving.services.fetching import FetchFailed, image_fetch
from tests.serving.conftest import Service
from tests.serving.trained import DARK, LIGHT, picture

HERE = ["127.0.0.0/8"]


@dataclass
class Server:
    """Its answers by path, and what it was asked."""

    port: int
    asked: list[tuple[str, str]] = field(default_factory=list)  # path and Host
    answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)

    def url(self, path: str, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


def sends(data: bytes, status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content_Length": str(len(data)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def running(context: ssl.SSLContext | None = None) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append((self.path, self.headers["Host"]))
            found.answers[self.path](self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up is what these tests are about."""

    with Quiet(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        found = Server(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    yield from running()


def fetch(url: str, seconds: float = 10.0, **options: object) -> bytes:
    return image_fetch(url=url, until=time.monotonic() + seconds, **options)  # type: ignore[arg-type]  # as given


def test_it_is_off_unless_it_was_switched_on(
    service: Service, settings: LazySettings, server: Server
) -> None:
    server.answers["/a.png"] = sends(picture(DARK))
    body = {"urls": [server.url("/a.png")]}
    refused = service.client.post(service.predict_path, body, "application/json")
    assert refused.status_code == 400
    assert refused.json()["detail"].startswith("Images are not fetched from URLs here")
    settings.URL_IMAGES = True
    refused = service.client.post(service.predict_path, body, "application/json")
    assert refused.status_code == 400
    assert refused.json()["detail"] == "Image 0: The URL's host has an address that is not public."
    assert not server.asked
    settings.URL_NETWORKS = HERE
    server.answers["/b.png"] = sends(picture(LIGHT))
    body = {"urls": [server.url("/a.png"), server.url("/b.png")]}
    answered = service.client.post(service.predict_path, body, "application/json")
    assert answered.status_code == 200
    assert [one["labels"][0]["label"] for one in answered.json()["predictions"]] == ["dark", "light"]
    for wrong in (b"", b"[]", b"{}", b'{"urls": []}', b'{"urls": [1]}', b'{"urls": "x"}', b"[" * 100_000):
        assert service.client.post(service.predict_path, wrong, "application/json").status_code == 400
    many = {"urls": [server.url("/a.png")] * 9}
    assert service.client.post(service.predict_path, many, "application/json").status_code == 400
    assert Prediction.objects.count() == 2


def test_a_name_is_resolved_once_and_the_connection_goes_to_the_address_that_was_checked(
    server: Server, settings: LazySettings
) -> None:
    settings.URL_NETWORKS = HERE
    server.answers["/a.png"] = sends(b"the image")
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        # A name that means another address when it is looked up again.
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    assert fetch(server.url("/a.png", "images.example.org"), resolve=resolve) == b"the image"
    assert asked == ["images.example.org"]
    assert server.asked == [("/a.png", f"images.example.org:{server.port}")]
    with pytest.raises(UrlRefused):
        fetch(server.url("/a.png", "images.example.org"), resolve=resolve)
    with pytest.raises(UrlRefused):
        fetch(server.url("/a.png"), resolve=lambda host, port: ["127.0.0.1", "192.168.0.1"])
    assert len(server.asked) == 1


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]"])
def test_this_machine_has_many_names_and_none_is_reached(host: str, server: Server) -> None:
    with pytest.raises((UrlRefused, FetchFailed)):
        fetch(server.url("/a.png", host))
    assert not server.asked


def test_redirects_are_not_followed(server: Server, settings: LazySettings) -> None:
    settings.URL_NETWORKS = HERE
    server.answers["/a.png"] = sends(b"", 302, Location="http://169.254.169.254/latest/meta-data/")
    with pytest.raises(FetchFailed, match="redirects to another address"):
        fetch(server.url("/a.png"))
    assert len(server.asked) == 1


def test_what_is_too_large_is_not_read_to_its_end(server: Server, settings: LazySettings) -> None:
    settings.URL_NETWORKS = HERE

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    server.answers |= {"/endless": endless, "/said": sends(b"x" * 2_000_000)}
    for path in server.answers:
        with pytest.raises(FetchFailed, match="larger than the 1 MB"):
            fetch(server.url(path), most=1024**2)


def test_a_server_that_takes_its_time_is_left_in_time(server: Server, settings: LazySettings) -> None:
    settings.URL_NETWORKS = HERE

    def slow_body(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x")
            time.sleep(0.05)

    def slow_header(handler: BaseHTTPRequestHandler) -> None:
        while True:
            handler.wfile.write(b"X")
            time.sleep(0.05)

    def silent(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(3)

    server.answers |= {"/body": slow_body, "/header": slow_header, "/silent": silent}
    for path in server.answers:
        started = time.monotonic()
        with pytest.raises(FetchFailed, match="in time"):
            fetch(server.url(path), 0.5)
        assert time.monotonic() - started < 2

    def slow_resolver(host: str, port: int) -> list[str]:
        time.sleep(2)
        return ["127.0.0.1"]

    started = time.monotonic()
    with pytest.raises(FetchFailed, match="in time"):
        fetch(server.url("/body"), 0.3, resolve=slow_resolver)
    assert time.monotonic() - started < 1.5


def test_what_is_no_whole_answer_is_refused_in_a_sentence(server: Server, settings: LazySettings) -> None:
    settings.URL_NETWORKS = HERE

    def cut(handler: BaseHTTPRequestHandler) -> None:
        sends(b"x", Content_Length="100")(handler)
        handler.close_connection = True

    def noise(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"SSH-2.0-server\r\n\r\n")

    server.answers |= {
        "/none": sends(b"", 404),
        "/cut": cut,
        "/zip": sends(b"x", Content_Encoding="gzip"),
        "/noise": noise,
    }
    for path in server.answers:
        with pytest.raises(FetchFailed, match=r"^It.*\.$"):
            fetch(server.url(path))
    with pytest.raises(FetchFailed, match="refused or broke"):
        fetch("http://127.0.0.1:1999/")


def test_over_tls_the_certificate_must_be_for_the_name(settings: LazySettings) -> None:
    settings.URL_NETWORKS = HERE
    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("images.example.org").configure_cert(theirs)
    authority.configure_trust(ours)

    def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    for server in running(theirs):
        server.answers["/a.png"] = sends(b"the image")
        right = server.url("/a.png", "images.example.org", "https")
        assert fetch(right, resolve=resolve, context=ours) == b"the image"
        wrong = server.url("/a.png", "other.example.org", "https")
        for url, context in ((wrong, ours), (right, None)):
            with pytest.raises(FetchFailed, match="certificate is not valid"):
                fetch(url, resolve=resolve, context=context)
