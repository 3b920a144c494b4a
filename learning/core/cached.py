"""modAL asks a model for its probabilities; here they are computed already: these adapters hold them.

modAL's own learners break on current scikit-learn; its measures only need the few methods below. `X`, which
modAL passes through, is an array of row numbers.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from learning.core.pool import Floats

Rows = NDArray[np.int64]


def rows(count: int) -> Rows:
    return np.arange(count, dtype=np.int64)


class CachedClassifier:
    def __init__(self, proba: Floats) -> None:
        self.proba = np.ascontiguousarray(proba, dtype=np.float64)  # (N, K)

    def predict_proba(self, X: Rows) -> Floats:
        return self.proba[X]


class CachedCommittee:
    def __init__(self, proba: Floats) -> None:
        self.proba = np.ascontiguousarray(proba, dtype=np.float64)  # (C, N, K)
        self.classes_ = np.arange(proba.shape[2])

    def __len__(self) -> int:
        return len(self.proba)

    def __iter__(self) -> Iterator[CachedClassifier]:
        return (CachedClassifier(member) for member in self.proba)

    def vote(self, X: Rows) -> NDArray[np.int64]:
        ballots: NDArray[np.int64] = self.proba[:, X].argmax(axis=2).T  # (N, C)
        return ballots

    def predict_proba(self, X: Rows) -> Floats:
        consensus: Floats = self.proba[:, X].mean(axis=0)  # (N, K)
        return consensus

    def vote_proba(self, X: Rows) -> Floats:
        return np.ascontiguousarray(self.proba[:, X].transpose(1, 0, 2))  # (N, C, K)
