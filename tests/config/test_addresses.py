import socket

from config import addresses


def test_a_named_address_is_what_browsers_may_say() -> None:
    assert addresses.names("192.168.7.5") == ["192.168.7.5"]
    assert addresses.names("fd00::7") == ["[fd00::7]"]
    assert addresses.url("fd00::7", 80) == "http://[fd00::7]:80/"


def test_listening_everywhere_every_address_of_this_machine_is() -> None:
    for everywhere in ("", "0.0.0.0", "::"):
        assert {"127.0.0.1", socket.gethostname()} <= set(addresses.names(everywhere))
        assert addresses.url(everywhere, 8000) == "http://127.0.0.1:8000/"
