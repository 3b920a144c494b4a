"""Which addresses a stranger's URL may send this machine to: public ones, and none that hides in one.

A URL is taken apart here, once, by rules stricter than the standard's; whoever fetches it resolves the name
once, asks here about every address found, and connects to one of those, never to the name.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LONGEST_URL = 2_000
_PORTS = {"http": 80, "https": 443}
# Below it stand services that read other things than HTTP, and may do what an image's address tells them.
_FIRST_FREE_PORT = 1024
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052


class UrlRefused(ValueError):
    """Why this URL is not fetched, in one sentence."""


@dataclass(frozen=True)
class Target:
    scheme: str  # http or https
    host: str  # a name, or an address without brackets
    port: int
    path: str  # with its query

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """Raises UrlRefused."""
    if len(url) > LONGEST_URL:
        raise UrlRefused(f"The URL has {len(url)} characters: at most {LONGEST_URL} are read.")
    # Programs disagree on what these mean: who checks must not read another host than who asks.
    if not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>^`{|}'):
        raise UrlRefused("The URL holds characters that must be percent-encoded.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UrlRefused("The URL cannot be read.") from None
    if parts.scheme not in _PORTS:
        raise UrlRefused("Only http and https URLs are fetched.")
    if not host or "%" in host:
        raise UrlRefused("The URL names no host.")
    if "@" in parts.netloc:
        raise UrlRefused("The URL holds a user name: such URLs are not fetched.")
    if port is None:
        port = _PORTS[parts.scheme]
    if port < _FIRST_FREE_PORT and port not in _PORTS.values():
        raise UrlRefused(f"Port {port} is not fetched from: 80, 443 and those from {_FIRST_FREE_PORT} are.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path)


def pinned(addresses: Sequence[str], allowed: Iterable[Network] = ()) -> str:
    """The address to connect to, of all that a name has. `allowed`: networks that are trusted though private.

    Raises UrlRefused if there is none, or if any of them is not public: a name that mixes both is a trick.
    """
    if not addresses:
        raise UrlRefused("The URL's host has no address.")
    trusted = list(allowed)
    for text in addresses:
        if not _may_be_reached(text, trusted):
            raise UrlRefused("The URL's host has an address that is not public.")
    return addresses[0]


def _may_be_reached(text: str, trusted: Sequence[Network]) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:  # with a zone, as fe80::1%eth0: only on this machine's own network
        return False
    return all(_trusted(one, trusted) or _public(one) for one in (address, *_inside(address)))


def _trusted(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return True  # as its IPv4 address is, which is looked at as well
        if address.is_site_local:
            return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
        and not address.is_loopback
        and not address.is_link_local
    )


def _inside(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 address leads to: mapped, 6to4, Teredo, NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found: list[Address] = []
    if address.ipv4_mapped is not None:
        found.append(address.ipv4_mapped)
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found += address.teredo
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return found
