"""From the votes of rules to probabilistic labels, without knowing which rules are right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

ABSTAIN = -1
STEPS = 200
TOLERANCE = 1e-6  # of the mean log-likelihood
SMOOTH = 1.0  # votes as good as chance that every rule is given: few votes must not look infallible

Votes = NDArray[np.int64]


@dataclass(frozen=True)
class LabelModel:
    soft: NDArray[np.float64]  # (n, K), the prior where every rule abstained
    prior: NDArray[np.float64]  # (K,)
    confusion: NDArray[np.float64]  # (m, K, K): rule, true label, vote
    log_likelihood: list[float]  # after each step; with SMOOTH = 0, it never falls


def checked(votes: Votes, classes: int) -> Votes:
    """Raises ValueError for votes that are no table or name a label that does not exist."""
    if votes.ndim != 2 or 0 in votes.shape:
        raise ValueError(f"Votes must be a table (items, rules) that is not empty, not {votes.shape}.")
    if votes.min() < ABSTAIN or votes.max() >= classes:
        raise ValueError(
            f"Votes must be -1 (abstain) or 0..{classes - 1}; found {votes.min()}..{votes.max()}."
        )
    return votes


def dawid_skene(votes: Votes, classes: int, *, smooth: float = SMOOTH, steps: int = STEPS) -> LabelModel:
    """One confusion matrix a rule, by EM in log space from the shares of votes (Dawid and Skene 1979).

    Rules are taken to err independently given the label; an abstention says nothing. `votes` (n, m).
    """
    return _em(votes, classes, smooth=smooth, steps=steps, one_accuracy=False)


def one_accuracy(votes: Votes, classes: int, *, smooth: float = SMOOTH, steps: int = STEPS) -> LabelModel:
    """One accuracy a rule, its errors evenly spread: the "one-coin" model, for few items or many classes."""
    return _em(votes, classes, smooth=smooth, steps=steps, one_accuracy=True)


def _em(votes: Votes, classes: int, *, smooth: float, steps: int, one_accuracy: bool) -> LabelModel:
    hot = np.eye(classes + 1)[checked(votes, classes)][:, :, :classes]  # (n, m, K), zeros where it abstains
    said = hot.any(axis=(1, 2))
    total = hot.sum(axis=1) + 1e-3
    soft = total / total.sum(axis=1, keepdims=True)  # majority to start with
    history: list[float] = []
    prior, confusion = np.full(classes, 1 / classes), np.empty(0)
    for _ in range(steps):
        # M: counts, weighted by how likely each label is.
        prior = soft[said].sum(axis=0) + smooth if said.any() else np.ones(classes)
        prior = prior / prior.sum()
        counts = np.einsum("nk,nmv->mkv", soft, hot)  # (m, true, vote)
        if one_accuracy:
            right = np.einsum("mkk->m", counts)[:, None, None] / classes
            wrong = counts.sum(axis=(1, 2))[:, None, None] / classes - right
            counts = np.where(np.eye(classes, dtype=bool), right, wrong / max(classes - 1, 1))
        counts = counts + smooth / classes + 1e-12
        confusion = counts / counts.sum(axis=2, keepdims=True)
        # E: the posterior of each item's label.
        joint = np.log(prior) + np.einsum("nmv,mkv->nk", hot, np.log(confusion))
        evidence = logsumexp(joint, axis=1)
        soft = np.exp(joint - evidence[:, None])
        history.append(float(evidence.mean()))
        if len(history) > 1 and abs(history[-1] - history[-2]) < TOLERANCE:
            break
    return LabelModel(soft / soft.sum(axis=1, keepdims=True), prior, confusion, history)
