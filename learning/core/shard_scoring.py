"""Rank a pool too big for one array: score shard by shard, keep the best, choose among what was kept.

`score_shard` is the map, one call a shard, wherever the shard lies; it returns row numbers and scores, a few
bytes an item kept. `keep_best` is the reduce: the rows worth looking at. `rank_kept` fetches the embeddings
of those rows only and hands them to a query strategy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from learning.core.geometry import Float32
from learning.core.pool import Pool, Query

Rows = NDArray[np.int64]
Logits = Callable[[Float32], Float32]  # (n, D) -> (n, K)
BLOCK = 16_384  # rows that are float32 at a time


@dataclass(frozen=True)
class ShardScores:
    """What one shard sends on. Rows count through the whole pool."""

    size: int  # items in the shard
    best: Rows  # (M,), the most unsure first
    scores: Float32  # (M,), of the best
    drawn: Rows  # (m,), at random, in case the score is blind to something


def score_shard(
    embeddings: NDArray[np.floating],
    logits: Logits,
    *,
    first_row: int,
    keep: int,
    rng: np.random.Generator,
) -> ShardScores:
    """The `keep` items of a shard (n, D) with the smallest margin, and a tenth as many drawn from all.

    `embeddings` may be float16 and memory-mapped: BLOCK rows are read and scored at a time. To find the best
    of the whole pool exactly, `keep` is as many as `keep_best` will keep in all. Raises ValueError for scores
    that are not numbers.
    """
    size = len(embeddings)
    scores = np.empty(size, dtype=np.float32)
    for start in range(0, size, BLOCK):
        block = np.asarray(embeddings[start : start + BLOCK], dtype=np.float32)
        scores[start : start + len(block)] = unsure(logits(block))
    bad = int(np.isnan(scores).sum())
    if bad:
        raise ValueError(
            f"{bad} of the {size} items from row {first_row} on have a score that is not a number."
        )
    order = _best(scores, keep)
    drawn = rng.choice(size, min(size, keep // 10), replace=False)
    return ShardScores(size, first_row + order, scores[order], first_row + drawn)


def unsure(logits: Float32) -> Float32:
    """1 - margin of the probabilities: (n, K) -> (n,), without keeping the probabilities."""
    if logits.shape[1] < 2:
        return np.zeros(len(logits), dtype=np.float32)
    columns = np.array(logits.T, order="C")  # (K, n): K is small, so long rows are what is fast
    best = columns.max(axis=0)
    columns -= best
    np.exp(columns, out=columns)
    total = columns.sum(axis=0)
    first = columns.argmax(axis=0)
    columns[first, np.arange(len(best))] = 0
    return np.asarray(1 - (1 - columns.max(axis=0)) / total)


def keep_best(shards: Sequence[ShardScores], keep: int, rng: np.random.Generator) -> Rows:
    """Rows (M,) of the pool, ascending: the `keep` best of all shards, and a tenth as many drawn from all of
    it: each item has the same chance, and one that is among the best too counts once.
    """
    best = np.concatenate([shard.best for shard in shards])
    scores = np.concatenate([shard.scores for shard in shards])
    sizes = np.array([shard.size for shard in shards], dtype=np.float64)
    counts = rng.multinomial(keep // 10, sizes / sizes.sum())
    drawn = [shard.drawn[:count] for shard, count in zip(shards, counts, strict=True)]
    return np.union1d(best[_best(scores, keep)], np.concatenate(drawn)).astype(np.int64)


def rank_kept(
    rows: Rows,
    fetch: Callable[[Rows], NDArray[np.floating]],
    rank: Callable[[Pool], Query],
    logits: Logits,
    labelled: Float32 | None = None,
) -> Query:
    """Rank the rows (M,) that were kept; the answer's indices are rows of the whole pool.

    `fetch` reads the embeddings (M, D) of rows, in their order; `rank` is a query strategy on what was kept.
    """
    embeddings = np.asarray(fetch(rows), dtype=np.float32)
    proba = softmax(logits(embeddings).astype(np.float64), axis=1)
    query = rank(Pool(len(rows), proba, embeddings, labelled_embeddings=labelled))
    return Query(rows[query.indices], query.scores, query.note)


def _best(scores: Float32, keep: int) -> Rows:
    """Places of the `keep` best, best first; ties by place, also at the edge."""
    if keep < len(scores):
        edge = np.partition(scores, len(scores) - keep)[len(scores) - keep] if keep else np.inf
        above, at = np.flatnonzero(scores > edge), np.flatnonzero(scores == edge)
        places = np.concatenate([above, at[: max(keep - len(above), 0)]])
    else:
        places = np.arange(len(scores))
    return places[np.argsort(-scores[places], kind="stable")].astype(np.int64)
