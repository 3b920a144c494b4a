"""What `manage.py up` does with its lines when they cannot be written."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import pytest

from config import launch


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_unheard", type(launch._unheard)())


@pytest.fixture
def closed_terminal() -> Iterator[TextIO]:
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as stream:
        os.close(master)
        yield stream


def test_a_closed_terminal_stops_nothing_and_what_is_said_to_it_counts_as_unread(
    closed_terminal: TextIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", closed_terminal)
    assert not launch._say("up", "stopping")
    assert not launch._say("up", "stopped")


def test_a_full_disk_loses_the_line_and_the_next_one_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with suppress(OSError), Path("/dev/full").open("w") as full:  # closing it tries to write once more
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", full)
            assert not launch._say("web", "a line")
        assert launch._say("web", "another line")
