"""Where the web server listens, and what a browser may call it."""

import ipaddress
import socket

import psutil


def reachable(host: str) -> str:
    """An address of this machine at which a server that listens on `host` answers."""
    return "127.0.0.1" if _every_address(host) else host


def url(host: str, port: int) -> str:
    host = reachable(host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def names(host: str) -> list[str]:
    """What a browser may call the server that listens there, as Django writes it."""
    if not _every_address(host):
        return [f"[{host}]" if ":" in host else host]
    internet = (socket.AF_INET, socket.AF_INET6)
    cards = [one for card in psutil.net_if_addrs().values() for one in card if one.family in internet]
    # Without the zone of a link-local address, which no browser sends.
    addresses = [card.address.partition("%")[0] for card in cards]
    return [socket.gethostname(), *(f"[{one}]" if ":" in one else one for one in addresses)]


def _every_address(host: str) -> bool:
    return host in ("", str(ipaddress.IPv4Address(0)), str(ipaddress.IPv6Address(0)))
