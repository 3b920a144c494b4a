"""What a query strategy sees (a pool of unlabelled items) and what it answers (a ranking)."""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
T = TypeVar("T")


@dataclass(frozen=True)
class Pool:
    """`size` (N) items that could be asked, with whatever is known of them; row i is item i everywhere."""

    size: int
    proba: Floats | None = None  # (N, K), rows sum to 1
    embeddings: NDArray[np.float32] | None = None  # (N, D)
    committee: NDArray[np.floating[Any]] | None = None  # (C, N, K), the probabilities of each member
    labelled_embeddings: NDArray[np.float32] | None = None  # (L, D), of the items labelled already
    labelled_labels: NDArray[np.int64] | None = None  # (L,), their labels, 0..K-1
    drawn: NDArray[np.int64] | None = None  # (m,), rows that stand for a bigger pool; None: this is all of it


@dataclass(frozen=True)
class Query:
    """A ranking, best first: rows of the pool and their scores (larger = more useful to ask)."""

    indices: NDArray[np.int64]  # (k,)
    scores: Floats  # (k,), descending
    note: str = ""  # a sentence on how it was ranked, where a strategy had a choice


def given(value: T | None) -> T:
    """A field of the pool that the strategy declared as needed."""
    if value is None:
        raise ValueError("A strategy used something of the pool that it does not declare in `needs`.")
    return value


def top_k(scores: Floats, k: int) -> Query:
    """The k best scores, ties by index, so that the same scores always give the same ranking.

    Raises ValueError for a score that is not a number: it would sort anywhere.
    """
    bad = int(np.isnan(scores).sum())
    if bad:
        raise ValueError(f"{bad} of {len(scores)} scores are not a number: check the model's probabilities.")
    order = np.argsort(-scores, kind="stable")[: max(k, 0)].astype(np.int64)
    return Query(order, np.asarray(scores[order], dtype=np.float64))


def batch_first(batch: NDArray[np.int64], scores: Floats, k: int) -> Query:
    """The batch in its own order, then all others by score: k places in all.

    The places of the batch count down to 1 above the best score, whatever that is.
    """
    ranked = np.array(scores, dtype=np.float64)  # (N,)
    ranked[batch] = ranked.max(initial=0) + np.arange(len(batch), 0, -1)
    return top_k(ranked, k)
