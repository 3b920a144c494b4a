"""What a greedy strategy looks at when a pool is too big to look at all of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.core.geometry import Float32, sphere
from learning.core.pool import Floats, Pool, given

BATCH = 100  # places chosen greedily; the rest of a ranking follows by score
DIMENSIONS = 128  # that distances are computed in
LABELLED = 2_000  # labelled items that are looked at
SMALL = 20_000  # pools up to here are not narrowed
NARROW = 10_000
PROBES = 2_000  # items of the pool that stand for all of it

Rows = NDArray[np.int64]


def narrow(size: int, batch: int, rng: np.random.Generator, score: Floats | None = None) -> Rows:
    """Rows (M,) of a pool of `size`, ascending: all of a small one, else the best by score, max(100 batch,
    10,000) of them, and a tenth as many drawn from the others, in case the score is blind to something.

    Without a score all are drawn at random.
    """
    most = max(NARROW, 100 * batch)
    if size <= max(SMALL, most):
        return np.arange(size, dtype=np.int64)
    if score is None:
        return sample(size, most + most // 10, rng)
    best = np.argpartition(-score, most - 1)[:most]
    others = np.ones(size, dtype=bool)
    others[best] = False
    rest = np.flatnonzero(others)
    return np.sort(np.concatenate([best, rest[sample(len(rest), most // 10, rng)]])).astype(np.int64)


def sample(size: int, most: int, rng: np.random.Generator) -> Rows:
    """Rows of 0..size, ascending: all, or `most` drawn at random."""
    if size <= most:
        return np.arange(size, dtype=np.int64)
    return np.sort(rng.choice(size, most, replace=False)).astype(np.int64)


def representatives(pool: Pool, most: int, rng: np.random.Generator) -> Rows:
    """Rows (P,) of at most `most` items drawn evenly from the pool, or from the bigger one it was kept of."""
    if pool.drawn is None:
        return sample(pool.size, most, rng)
    return pool.drawn[sample(len(pool.drawn), most, rng)]


def labelled_sample(pool: Pool, most: int, rng: np.random.Generator) -> Float32:
    """Embeddings (L, D) of what is labelled, at most `most` of it; L = 0 when nothing is."""
    known = pool.labelled_embeddings
    if known is None:
        return np.empty((0, given(pool.embeddings).shape[1]), dtype=np.float32)
    return known[sample(len(known), most, rng)]


@dataclass(frozen=True)
class View:
    """A pool as points of unit length in few dimensions."""

    size: int  # N, of the pool
    rows: Rows  # (M,) of the candidates in the pool
    points: Float32  # (M, d)
    probe_rows: Rows  # (P,)
    probes: Float32  # (P, d), drawn from the whole pool
    labelled: Float32  # (L, d)


def view(pool: Pool, batch: int, rng: np.random.Generator, score: Floats | None = None) -> View:
    """Candidates as `narrow` finds them, at most PROBES probes and LABELLED labelled points."""
    embeddings = given(pool.embeddings)
    rows, probe_rows = narrow(pool.size, batch, rng, score), representatives(pool, PROBES, rng)
    known = labelled_sample(pool, LABELLED, rng)
    points, probes, labelled = sphere(DIMENSIONS, rng, embeddings[rows], embeddings[probe_rows], known)
    return View(pool.size, rows, points, probe_rows, probes, labelled)


def scattered(rows: Rows, values: Floats | Float32, size: int, rng: np.random.Generator) -> Floats:
    """Scores (N,) of a whole pool from those (M,) >= 0 of its candidates: all others lie below, at random."""
    if values.size and values.min() < 0:
        raise ValueError("Scores of candidates must not be negative.")
    scores = -1 - rng.random(size)
    scores[rows] = values
    return scores
