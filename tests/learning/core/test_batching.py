"""Calls of many threads become few batches, and each gets its own rows back."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from learning.core.batching import Batching


class Doubling:
    """Holds its first batch back until told, and notes how large batches are."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, bool]] = []
        self.go_on = threading.Event()
        self.begun = threading.Event()

    def __call__(self, rows: NDArray[np.uint8], crowded: bool) -> NDArray[np.float32]:
        self.batches.append((len(rows), crowded))
        self.begun.set()
        assert self.go_on.wait(20)
        if (rows == 255).any():
            raise RuntimeError("a row of 255")
        return rows.astype(np.float32) * 2


def rows(value: int, count: int = 1) -> NDArray[np.uint8]:
    return np.full((count, 3), value, np.uint8)


def behind(run: Doubling, *waiting: NDArray[np.uint8], most: int = 64) -> list[NDArray[np.float32] | str]:
    """What each call gets that came while the first one ran."""
    batching = Batching(run, most)

    def call(of: NDArray[np.uint8]) -> NDArray[np.float32] | str:
        try:
            return batching(of)
        except RuntimeError as error:
            return str(error)

    with ThreadPoolExecutor(1 + len(waiting)) as pool:
        first = pool.submit(call, rows(1))
        assert run.begun.wait(20)
        later = [pool.submit(call, of) for of in waiting]
        while len(batching._waiting) < len(waiting):
            pass
        run.go_on.set()
        return [one.result(20) for one in (first, *later)]


def test_what_comes_while_a_batch_runs_is_the_next_batch() -> None:
    run = Doubling()
    found = behind(run, rows(2), rows(3, 2), rows(4))
    assert run.batches == [(1, False), (4, True)]
    assert [one.tolist() for one in found if not isinstance(one, str)] == [
        (2.0 * of).tolist() for of in (rows(1), rows(2), rows(3, 2), rows(4))
    ]


@pytest.mark.parametrize(("most", "sizes"), [(2, {1, 2}), (1, {1, 3}), (3, {1, 2, 3})])
def test_a_batch_has_at_most_so_many_rows_unless_one_call_has_more(most: int, sizes: set[int]) -> None:
    run = Doubling()
    count = 3 if 3 in sizes else 1
    found = behind(run, rows(2, count), rows(3), rows(4), most=most)
    assert {size for size, _ in run.batches} <= sizes
    assert len(found) == 4
    assert sum(size for size, _ in run.batches) == 3 + count


def test_an_error_reaches_everyone_in_the_batch_and_nobody_else() -> None:
    run = Doubling()
    found = behind(run, rows(255), rows(3))
    assert [isinstance(one, str) for one in found] == [False, True, True]
    batching = Batching(run)
    with pytest.raises(RuntimeError, match="a row of 255"):
        batching(rows(255))
    assert batching(rows(5)).tolist() == [[10.0, 10.0, 10.0]]


def test_many_threads_get_their_own_answers() -> None:
    run = Doubling()
    run.go_on.set()
    batching = Batching(run)
    with ThreadPoolExecutor(16) as pool:
        values = [n % 250 for n in range(2000)]
        found = list(pool.map(lambda value: batching(rows(value)), values))
    assert [one[0, 0] for one in found] == [2.0 * value for value in values]


def test_a_call_that_may_not_wait_for_so_long_gives_up_and_is_not_run() -> None:
    run = Doubling()
    batching = Batching(run)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(batching, rows(1))
        assert run.begun.wait(20)
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            batching(rows(2), started + 0.2)
        assert 0.2 <= time.monotonic() - started < 5
        run.go_on.set()
        assert first.result(20).tolist() == [[2.0, 2.0, 2.0]]
    assert run.batches == [(1, False)]
    # What may begin in time, or is in the batch that runs, is answered.
    assert batching(rows(3), time.monotonic() + 5).tolist() == [[6.0, 6.0, 6.0]]
