"""Which URLs and addresses are refused; the lists are of tricks that have worked on others."""

import ipaddress

import pytest

from serving.core.network import UrlRefused, pinned, target_of


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "header"),
    [
        ("https://example.org/a.png", "example.org", 443, "/a.png", "example.org"),
        ("http://example.org", "example.org", 80, "/", "example.org"),
        ("http://example.org:8080/?a=1#part", "example.org", 8080, "/?a=1", "example.org:8080"),
        ("https://[2606:2800::1]:8443/a", "2606:2800::1", 8443, "/a", "[2606:2800::1]:8443"),
        ("HTTPS://EXAMPLE.org/A.PNG", "example.org", 443, "/A.PNG", "example.org"),
    ],
)
def test_a_url_is_taken_apart(url: str, host: str, port: int, path: str, header: str) -> None:
    target = target_of(url)
    assert (target.host, target.port, target.path, target.host_header) == (host, port, path, header)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "file:///etc/passwd",
            "ftp://example.org/a",
            "gopher://example.org",
            "//example.org/a",
            "a.png",
            "",
        ),
        *("http://", "http:///a.png", "http://:80/", "javascript:alert(1)", "data:image/png;base64,AA"),
        *("http://user@example.org/", "http://user:word@example.org/", "http://public.org@127.0.0.1/"),
        *("http://example.org\\@127.0.0.1/", "http://example.org /a", "http://example.org/\r\nHost: inside"),
        *("http://exämple.org/", "http://example.org/ä.png", "http://[fe80::1%25eth0]/", "http://[::1/"),
        *("http://example.org:22/", "http://example.org:25/", "http://example.org:99999/"),
        *("http://example.org:x/", "http://example.org:-1/", "http://example.org/" + "a" * 2_000),
    ],
)
def test_other_urls_are_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(UrlRefused, match=r"^[A-Z].*\.$"):
        target_of(url)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
        *("169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
        *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1"),
        # IPv4 inside IPv6: mapped, 6to4, NAT64, Teredo.
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "2002:7f00:1::", "2002:c0a8:101::"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
        *("", "localhost", "127.1"),
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    with pytest.raises(UrlRefused, match="not public"):
        pinned([address])
    with pytest.raises(UrlRefused, match="not public"):
        pinned(["93.184.215.14", address])


@pytest.mark.parametrize("address", ["93.184.215.14", "1.1.1.1", "2606:2800:21f::1", "::ffff:1.1.1.1"])
def test_public_addresses_are_taken_the_first_of_them(address: str) -> None:
    assert pinned([address, "8.8.8.8"]) == address


def test_a_private_network_is_reached_only_where_it_was_named() -> None:
    store = [ipaddress.ip_network("10.0.3.0/24")]
    assert pinned(["10.0.3.7"], store) == "10.0.3.7"
    with pytest.raises(UrlRefused):
        pinned(["10.0.4.7"], store)
    with pytest.raises(UrlRefused):
        pinned([], store)
