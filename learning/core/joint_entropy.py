"""The joint entropy of a batch's labels under a committee: exact while it is small, then sampled."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from learning.core.pool import Floats

ANSWERS = 1024  # joint answers to a batch that are enumerated, or drawn
CELLS = 4_000_000  # of a block: 32 MB


class JointEntropy:
    """H(y_1..y_b) in nats under p(y_1..y_b) = mean_c prod_i p_c(y_i), for a batch that grows.

    Up to ANSWERS joint answers all are enumerated (Kirsch et al. 2019, equation 13). Beyond, answers are
    drawn, as many from each member, so from p, and each sum over answers becomes a mean of terms divided by p
    (equation 14).
    """

    def __init__(self, members: Floats, rng: np.random.Generator) -> None:
        self.members = members  # (C, n, K)
        self.rng = rng
        self.answers = np.ones((1, len(members)))  # (S, C): p_c of each joint answer
        self.drawn_by: NDArray[np.int64] | None = None  # (S,): the member that gave each answer, once drawn

    def entropy(self) -> float:
        return float(self._weights() @ entr(self.answers.mean(axis=1)))

    def with_each(self) -> Floats:
        """(n,): the entropy were item i in the batch too."""
        models, items, labels = self.members.shape
        weights, prior = self._weights(), self.answers / models
        found = np.empty(items)
        step = max(1, CELLS // (len(prior) * labels))
        for start in range(0, items, step):
            some = self.members[:, start : start + step]  # (C, m, K)
            joint = prior @ some.reshape(models, -1)  # (S, m K): p of each answer with each further label
            found[start : start + step] = (weights @ entr(joint)).reshape(-1, labels).sum(axis=1)
        return found

    def add(self, item: int) -> None:
        labels = self.members[:, item]  # (C, K)
        if self.drawn_by is None and len(self.answers) * labels.shape[1] <= ANSWERS:
            self.answers = (self.answers[:, None] * labels.T).reshape(-1, len(labels))
            return
        if self.drawn_by is None:
            self.drawn_by = np.repeat(np.arange(len(labels)), max(1, ANSWERS // len(labels)))
            self.answers = self.answers[self._draw(self.answers.T[self.drawn_by])]
        self.answers = self.answers * labels[:, self._draw(labels[self.drawn_by])].T

    def _weights(self) -> Floats:
        if self.drawn_by is None:
            return np.ones(len(self.answers))
        return np.asarray(1 / (len(self.answers) * self.answers.mean(axis=1)))

    def _draw(self, proba: Floats) -> NDArray[np.int64]:
        """One column of each row (S, J), drawn by its probability."""
        upto = proba.cumsum(axis=1)
        threshold = self.rng.random((len(proba), 1)) * upto[:, -1:]
        return np.asarray((upto > threshold).argmax(axis=1))
