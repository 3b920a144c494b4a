"""Embeddings as points: unit length, fewer dimensions, distances block by block in float32."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
BLOCK = 512  # rows at a time: their distances stay in the processor's cache


def unit(rows: Float32) -> Float32:
    """(n, D) -> (n, D) of length 1; a row of zeros stays."""
    found = np.asarray(rows, dtype=np.float32)
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12))


def projection(dimensions: int, kept: int, rng: np.random.Generator) -> Float32 | None:
    """A random matrix (dimensions, kept) that about keeps distances and products; None with nothing to save.

    Johnson and Lindenstrauss 1984.
    """
    if dimensions <= kept:
        return None
    return np.asarray(rng.standard_normal((dimensions, kept)) / np.sqrt(kept), dtype=np.float32)


def sphere(dimensions: int, rng: np.random.Generator, *groups: Float32) -> list[Float32]:
    """Groups of rows (n, D) on the unit sphere (distances lie in 0..2), in the same few dimensions."""
    matrix = projection(groups[0].shape[1], dimensions, rng)
    return [unit(rows) if matrix is None else unit(rows) @ matrix for rows in groups]


def squares(points: Float32) -> Float32:
    """(n, d) -> (n,), the squared length of each."""
    return np.asarray(np.einsum("nd,nd->n", points, points))


def squared_distances(points: Float32, others: Float32) -> Float32:
    """(n, d), (m, d) -> (n, m), exact to about 1e-6 of the squared lengths.

    One matrix product: |a - b|^2 = (-2a, |a|^2, 1) . (b, 1, |b|^2).
    """
    ones = np.ones((max(len(points), len(others)), 1), dtype=np.float32)
    left = np.hstack([-2 * points, squares(points)[:, None], ones[: len(points)]])
    right = np.hstack([others, ones[: len(others)], squares(others)[:, None]])
    found: Float32 = left @ right.T
    np.maximum(found, 0, out=found)
    return found


def nearest_squared(points: Float32, others: Float32) -> Float32:
    """(n, d), (m, d) -> (n,): the squared distance to the nearest other, infinite without any."""
    nearest = np.full(len(points), np.inf, dtype=np.float32)
    if not len(others):
        return nearest
    offsets = squares(others)[:, None]
    for block in blocks(len(points)):
        found = (-2 * others) @ points[block].T  # so that the least of each is that of a column
        found += offsets
        nearest[block] = found.min(axis=0)
    return np.asarray(np.maximum(nearest + squares(points), 0))


def blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, count, BLOCK))
