"""Rank a pool too big for one array: score part by part, keep the best, choose among what was kept.

`score_part` is the map, one call a part, wherever its embeddings lie; it returns ids and scores, a few bytes
an item kept. `keep_best` is the reduce: the items worth looking at. A query strategy ranks those, knowing
which of them were drawn to stand for the whole pool.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.core.candidates import PROBES
from learning.core.pool import Floats, Pool
from learning.core.strategies import Strategy

Rows = NDArray[np.int64]
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class PartScores:
    """What one part sends on: ids of its items in the whole pool."""

    size: int  # items in the part
    best: Ids  # (M,), the best first
    scores: Floats  # (M,), of the best
    drawn: Ids  # (m,), at random, in case the score is blind to something


@dataclass(frozen=True)
class Kept:
    ids: Ids  # (M,), ascending
    drawn: Rows  # (m,), places in `ids` of those drawn from all of the pool


def score_part(pool: Pool, screen: Strategy, *, ids: Ids, keep: int, rng: np.random.Generator) -> PartScores:
    """The `keep` items of a part that `screen` finds best, and at most PROBES drawn from all of it.

    `ids` (n,), ascending: what names the part's items in the whole pool. To find the best of it exactly,
    `keep` is as many as `keep_best` will keep in all. Raises ValueError for scores that are not numbers.
    """
    query = screen.choose(pool, keep, rng)
    drawn = rng.choice(pool.size, min(pool.size, PROBES), replace=False)
    return PartScores(pool.size, ids[query.indices], query.scores, ids[drawn])


def keep_best(parts: Sequence[PartScores], keep: int, rng: np.random.Generator) -> Kept:
    """The `keep` best of all parts, and PROBES drawn from all of them: each item has the same chance, and one
    that is among the best too counts once.
    """
    best = np.concatenate([part.best for part in parts])
    scores = np.concatenate([part.scores for part in parts])
    order = np.lexsort((best, -scores))[:keep]  # ties by id, as in one array
    sizes = np.array([part.size for part in parts])
    counts = rng.multivariate_hypergeometric(sizes, min(PROBES, int(sizes.sum())), method="marginals")
    drawn = np.concatenate([part.drawn[:count] for part, count in zip(parts, counts, strict=True)])
    ids = np.union1d(best[order], drawn)
    return Kept(ids, np.searchsorted(ids, drawn).astype(np.int64))
