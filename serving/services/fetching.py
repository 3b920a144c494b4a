"""Images by URL, where the installation allows it: from public addresses only, and never for long or much.

A name is resolved once. What is checked is the address that is then connected to, so that a name which means
another address a moment later (DNS rebinding) leads nowhere else; the name goes into the Host header and is
what a certificate must be for.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from django.conf import settings

from labelling.core.images import MAX_BYTES
from serving.core.network import Target, UrlRefused, pinned, target_of
from serving.services.admission import Overloaded

LONGEST_SECONDS = 10.0
# Of a process at once, the images of all requests: each holds a thread, and up to its cap of memory.
AT_ONCE = 8
_CHUNK = 64 * 1024

Resolve = Callable[[str, int], Sequence[str]]

_fetching = threading.BoundedSemaphore(AT_ONCE)
# The system's resolver knows no time limit: whoever waits for it can leave.
_resolvers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="resolver")


class FetchFailed(RuntimeError):
    """Why there is no image, in one sentence."""


def images_fetch(*, urls: Sequence[str], seconds: float, most: int) -> list[bytes]:
    """The bytes behind each URL: within so many seconds, and `most` bytes, for all of them.

    Raises UrlRefused, FetchFailed, or Overloaded where too many are being fetched.
    """
    until = time.monotonic() + min(seconds, LONGEST_SECONDS)
    found: list[bytes] = []
    for place, url in enumerate(urls):
        try:
            left = most - sum(map(len, found))
            found.append(image_fetch(url=url, until=until, most=min(left, MAX_BYTES)))
        except UrlRefused as refusal:
            raise UrlRefused(f"Image {place}: {refusal}") from None
        except FetchFailed as failure:
            raise FetchFailed(f"Image {place}: {failure}") from failure
    return found


def image_fetch(
    *,
    url: str,
    until: float,
    most: int = MAX_BYTES,
    resolve: Resolve | None = None,
    context: ssl.SSLContext | None = None,
) -> bytes:
    """At most `most` bytes, by `until` of `time.monotonic`. Raises as `images_fetch` does.

    `context`: which certificates are believed; the system's if none is given.
    """
    target = target_of(url)
    if not _fetching.acquire(blocking=False):
        raise Overloaded(1)
    try:
        addresses = _in_time(resolve or _resolved, target, until)
        networks = [ipaddress.ip_network(one) for one in settings.URL_NETWORKS]
        with _connected(target, pinned(addresses, networks), until, context) as connection:
            found = _read(connection, target, most)
            if time.monotonic() >= until:
                raise TimeoutError  # it was shut: what looks like its end may not be
            return found
    except (TimeoutError, http.client.HTTPException, OSError, ValueError) as error:
        if isinstance(error, UrlRefused):
            raise
        # A socket that was shut at the deadline fails in many ways.
        if time.monotonic() >= until:
            raise FetchFailed("It could not be fetched in time.") from error
        raise FetchFailed(f"It could not be fetched: {_why(error)}.") from error
    finally:
        _fetching.release()


def _resolved(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _in_time(resolve: Resolve, target: Target, until: float) -> Sequence[str]:
    waiting = _resolvers.submit(resolve, target.host, target.port)
    try:
        return waiting.result(max(0.0, until - time.monotonic()))
    finally:
        waiting.cancel()


@contextmanager
def _connected(
    target: Target, address: str, until: float, context: ssl.SSLContext | None
) -> Iterator[http.client.HTTPConnection]:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    plain = socket.create_connection((address, target.port), timeout=left)
    try:
        secure = context or ssl.create_default_context()
        # The name, not the address: what the certificate must be for.
        used = secure.wrap_socket(plain, server_hostname=target.host) if target.scheme == "https" else plain
    except BaseException:
        plain.close()
        raise
    # A limit on each read lets a server that sends a byte a second go on for ever: this one is on the whole.
    watch = threading.Timer(max(0.0, until - time.monotonic()), _shut, [used])
    watch.daemon = True
    watch.start()
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.auto_open = 0  # it would open one to the name, which may mean another address by now
    connection.sock = used
    try:
        yield connection
    finally:
        watch.cancel()
        connection.close()
        used.close()


def _shut(used: socket.socket) -> None:
    try:
        # The socket's own: that of TLS would first change what its reader stands on.
        socket.socket.shutdown(used, socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already


def _read(connection: http.client.HTTPConnection, target: Target, most: int) -> bytes:
    headers = {"Host": target.host_header, "Accept": "image/*", "User-Agent": "Quern", "Connection": "close"}
    connection.request("GET", target.path, headers=headers)
    response = connection.getresponse()
    if 300 <= response.status < 400:
        raise FetchFailed("It redirects to another address: send that one.")
    if response.status != http.client.OK:
        raise FetchFailed(f"Its server answered {response.status}.")
    if response.getheader("Content-Encoding", "identity") != "identity":
        raise FetchFailed("Its server sent it compressed, though it was not asked to.")
    if (response.length or 0) > most:
        raise _too_large(most)
    found = bytearray()
    while chunk := response.read1(_CHUNK):
        found += chunk
        if len(found) > most:
            raise _too_large(most)
    if response.length:
        raise FetchFailed("Its server stopped in the middle.")
    return bytes(found)


def _too_large(most: int) -> FetchFailed:
    return FetchFailed(f"It is larger than the {most / 1024**2:.3g} MB that the request may still hold.")


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is not valid for it"
    if isinstance(error, socket.gaierror):
        return "its host's name is not known"
    if isinstance(error, ConnectionError):
        return "its server refused or broke the connection"
    return "its server does not speak HTTP as expected"
