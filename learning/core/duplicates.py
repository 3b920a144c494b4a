"""Near-copies are not asked twice, whichever strategy ranks them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from learning.core.geometry import BLOCK, Float32, blocks, squares, unit

SAME = 1e-3  # cosine distance up to which two images count as one
DIRECTIONS = 32  # that pairs are looked at along first
ACROSS = 4 * BLOCK  # rows that a block is compared with at once, so that it never lies on both sides
ROUNDING = 1e-5  # of products of rows of length 1 in float32

Rows = NDArray[np.int64]
Bools = NDArray[np.bool_]


def copies(points: Float32, known: Float32 | None) -> Bools:
    """Which points (n, D), in this order, nearly equal a known one (L, D) or an earlier one that is no copy.

    A row of zeros or of what is not a number is nobody's copy. Pairs are looked at along few directions, in
    O(n (n + L) d): along these no two points are farther apart than they are, so that only those that are
    close along them are compared in full.
    """
    found = np.zeros(len(points), dtype=bool)
    rows = np.flatnonzero(_directed(points))
    mine = unit(points[rows])
    others = mine[:0] if known is None else unit(known[_directed(known)])
    basis = _directions(mine, others)
    left, right = _facing(mine @ basis)
    _, theirs = _facing(others @ basis)
    copy = np.zeros(len(rows), dtype=bool)
    for block in blocks(len(rows)):
        for some in _across(len(others)):
            there, with_them = _close(left[block], theirs[some])
            if len(there):
                same = mine[block][there] @ others[some][with_them].T >= 1 - SAME
                copy[block.start + there] |= same.any(axis=1)
        for some in _across(min(block.stop, len(rows))):
            there, with_them = _close(left[block], right[some], block.start - some.start)
            there, with_them = block.start + there, some.start + with_them
            if len(there):
                same = mine[there] @ mine[with_them].T >= 1 - SAME
                same &= with_them < there[:, None]
                # In order: whether an earlier one is a copy is known by then.
                for place in np.flatnonzero(same.any(axis=1)):
                    copy[there[place]] |= bool((~copy[with_them[same[place]]]).any())
    found[rows] = copy
    return found


def _across(count: int) -> Iterator[slice]:
    return (slice(start, min(start + ACROSS, count)) for start in range(0, count, ACROSS))


def _directed(rows: Float32) -> Bools:
    """Which rows have a direction that can be compared."""
    return np.asarray(np.isfinite(rows).all(axis=1) & rows.any(axis=1))


def _directions(points: Float32, others: Float32) -> Float32:
    """(D, d), orthonormal: some of the points span them, so that along them the points differ most."""
    every = points if len(points) else others
    if every.shape[1] <= DIRECTIONS or not len(every):
        return np.eye(every.shape[1], dtype=np.float32)
    some = every[np.linspace(0, len(every) - 1, DIRECTIONS).astype(np.int64)]
    return np.asarray(np.linalg.qr(some.T)[0], dtype=np.float32)


def _facing(near: Float32) -> tuple[Float32, Float32]:
    """(n, d) -> twice (n, d + 2); the first of x times the second of y is -|x - y|^2 / 2."""
    ones, half = np.ones((len(near), 1), np.float32), -squares(near)[:, None] / 2
    return np.hstack([ones, half, near]), np.hstack([half, ones, near])


def _close(left: Float32, right: Float32, own: int = ACROSS) -> tuple[Rows, Rows]:
    """Rows of the first that are close to any of the second, and those of the second to any of these. Of the
    second, the rows from `own` on are the first itself: none is close to itself.
    """
    apart = left @ right.T
    np.fill_diagonal(apart[:, own:], -np.inf)
    mine = np.flatnonzero(apart.max(axis=1) >= -SAME - ROUNDING)
    close = apart[mine] >= -SAME - ROUNDING
    return mine, np.flatnonzero(close.any(axis=0))
