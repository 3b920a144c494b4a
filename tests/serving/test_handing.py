"""What is handed over arrives whole, at once, and whatever does not arrive is counted."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pytest

from serving.services.handing import Handing
from serving.services.packing import packed, unpacked


@pytest.fixture
def handing() -> Iterator[Handing]:
    made = Handing.opened()
    yield made
    made.close()


@pytest.mark.parametrize("in_memory", [True, False])
def test_it_comes_as_it_was_put_the_oldest_first_and_leaves_nothing_open(
    handing: Handing, monkeypatch: pytest.MonkeyPatch, in_memory: bool
) -> None:
    if not in_memory:  # elsewhere than on Linux
        monkeypatch.delattr(os, "memfd_create", raising=False)
    contents = [b"", b"small", os.urandom(3_000_000)]
    before = open_files()
    assert not handing.waiting.come(0)
    for number, content in enumerate(contents):
        assert handing.put(rollout_id=number, images=number + 1, content=content) == 0
    assert handing.waiting.come(0)
    assert handing.count() == 3
    taken = handing.waiting.take(100)
    assert [(one.rollout_id, one.images, one.dropped) for one in taken] == [(0, 1, 0), (1, 2, 0), (2, 3, 0)]
    assert [one.content for one in taken] == contents
    assert handing.count() == 0
    assert open_files() == before


def test_a_full_queue_gives_up_its_oldest_at_once_and_the_next_of_a_rollout_tells(handing: Handing) -> None:
    handing.put(rollout_id=1, images=5, content=b"first")
    put = 0
    while not handing.put(rollout_id=2, images=2, content=b"%d" % put):
        put += 1
        assert put < 1000
    assert put > 200
    for _ in range(10):
        assert handing.put(rollout_id=2, images=2, content=b"more") == 2
    handing.put(rollout_id=1, images=1, content=b"last")
    taken = handing.waiting.take(1000)
    assert taken[-1].content == b"last"
    assert [one.dropped for one in taken if one.rollout_id == 1] == [5]
    # The last eleven of the second made room for themselves, and the last of the first for itself.
    handing.put(rollout_id=2, images=2, content=b"once more")
    taken += handing.waiting.take(1)
    others = [one for one in taken if one.rollout_id == 2]
    assert sum(one.images + one.dropped for one in others) == 2 * (put + 12)


def test_with_many_at_both_ends_each_image_is_either_taken_or_told_as_dropped(handing: Handing) -> None:
    over, seen = threading.Event(), [0, 0]

    def write(rollout_id: int) -> None:
        for number in range(1500):
            handing.put(rollout_id=rollout_id, images=1 + number % 3, content=b"x" * 100)

    def read() -> None:
        while not over.is_set():
            for one in handing.waiting.take(16):
                seen[0] += one.images
                seen[1] += one.dropped
            time.sleep(0.01)

    writers = [threading.Thread(target=write, args=(rollout_id,)) for rollout_id in (1, 1, 2)]
    reader = threading.Thread(target=read)
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    over.set()
    reader.join()
    for rollout_id in (1, 2):  # so that what was dropped last is told
        handing.put(rollout_id=rollout_id, images=0, content=b"")
        for one in handing.waiting.take(1000):
            seen[0] += one.images
            seen[1] += one.dropped
    assert sum(seen) == 3 * 500 * (1 + 2 + 3)
    assert seen[1] > 0, "nothing was dropped: nothing is proved"


def test_where_no_descriptor_is_left_it_is_dropped_and_told(
    handing: Handing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(name: str) -> int:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(os, "memfd_create", refused, raising=False)
        assert handing.put(rollout_id=1, images=3, content=b"lost") == 3
    assert handing.put(rollout_id=1, images=2, content=b"kept") == 0
    [one] = handing.waiting.take(10)
    assert (one.images, one.dropped, one.content) == (2, 3, b"kept")


def test_what_is_packed_is_read_back_and_what_is_torn_refused() -> None:
    header = {"number": np.float64(0.5), "name": "dark", "nothing": None}
    content = packed("mirrored", header, [b"", b"\0\xff" * 50])
    told = {"number": 0.5, "name": "dark", "nothing": None}
    assert unpacked(content) == ("mirrored", told, [b"", b"\0\xff" * 50])
    for torn in (b"", content[:4], content[:40], content[:-1], content + b"x"):
        with pytest.raises(ValueError):  # noqa: PT011  # of JSON, or our own
            unpacked(torn)


def open_files() -> int:
    with suppress(FileNotFoundError):
        return len(os.listdir("/proc/self/fd"))
    return 0
