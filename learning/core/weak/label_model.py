"""From the votes of rules to probabilistic labels, without knowing which rules are right."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import logsumexp

ABSTAIN = -1
STEPS = 200
TOLERANCE = 1e-6  # of the mean log-likelihood
SMOOTH = 1.0  # votes as good as chance that every rule is given: few votes must not look infallible
# Unchecked votes confirm one another, the more so the more there are: people's labels together weigh this
# many times as much, though none more than PERSON votes.
OVER_VOTES = 3.0
PERSON = 50.0
A_CELL = 5  # votes for each cell of a confusion matrix, from which one can be estimated
A_CLASS = 5.0  # labels that each class is given before people's labels say how frequent it is

Votes = NDArray[np.int64]
Floats = NDArray[np.float64]
Estimate = Callable[[Floats, float], Floats]


@dataclass(frozen=True)
class LabelModel:
    # Rules say the same of many items: each case is there once, (c, K), and which case an item is, (n,).
    cases: NDArray[np.float64]
    place: NDArray[np.int64]
    prior: NDArray[np.float64]  # (K,)
    confusion: NDArray[np.float64]  # (m, K, K + 1): rule, true label, vote; the last vote is an abstention
    log_likelihood: list[float]  # after each step; of Dawid-Skene with SMOOTH = 0, it never falls

    @property
    def soft(self) -> NDArray[np.float64]:
        """(n, K), the prior where every rule abstained. Of a big pool rather `soft_of` some."""
        return self.cases[self.place]

    def soft_of(self, items: NDArray[np.int64]) -> NDArray[np.float64]:
        """(r,) -> (r, K)"""
        return self.cases[self.place[items]]


def checked(votes: Votes, classes: int) -> Votes:
    """Raises ValueError for votes that are no table or name a label that does not exist."""
    if votes.ndim != 2 or 0 in votes.shape:
        raise ValueError(f"Votes must be a table (items, rules) that is not empty, not {votes.shape}.")
    if votes.min() < ABSTAIN or votes.max() >= classes:
        raise ValueError(
            f"Votes must be -1 (abstain) or 0..{classes - 1}; found {votes.min()}..{votes.max()}."
        )
    return votes


def fitting_model(votes: Votes, classes: int, known: Votes | None = None) -> LabelModel:
    """The label model that the votes can bear: Dawid-Skene where there are A_CELL votes for each cell of
    every rule's table, else the one with fewer numbers to find. `known` as in `dawid_skene`.
    """
    cells = A_CELL * classes**2
    enough = bool(((checked(votes, classes) != ABSTAIN).sum(axis=0) >= cells).all())
    return (dawid_skene if enough else one_accuracy)(votes, classes, known=known)


def dawid_skene(
    votes: Votes, classes: int, *, known: Votes | None = None, smooth: float = SMOOTH, steps: int = STEPS
) -> LabelModel:
    """One confusion matrix a rule, by EM in log space from the shares of votes (Dawid and Skene 1979).

    Rules are taken to err independently given the label. An abstention is a vote like another: a rule that
    only ever says "cat" tells by its silence what it takes for no cat; without that, the likeliest world is
    one in which one of two such rules is always wrong. `votes` (n, m); `known` (n,) people's labels, -1
    where there is none, which stand as they are and judge the rules.
    """
    return _em(votes, classes, known, smooth, steps, _every_cell)


def one_accuracy(
    votes: Votes, classes: int, *, known: Votes | None = None, smooth: float = SMOOTH, steps: int = STEPS
) -> LabelModel:
    """One accuracy for each label that a rule votes for, its errors evenly spread over the other labels (as
    the "one-coin" model), for few votes or many classes.
    """
    return _em(votes, classes, known, smooth, steps, _hits_and_misses)


def _em(
    votes: Votes, classes: int, known: Votes | None, smooth: float, steps: int, estimate: Estimate
) -> LabelModel:
    table = np.column_stack(
        [checked(votes, classes), np.full(len(votes), ABSTAIN) if known is None else known]
    )
    cases, place, count = np.unique(table, axis=0, return_inverse=True, return_counts=True)
    said = np.where(cases[:, :-1] == ABSTAIN, classes, cases[:, :-1])  # (c, m), abstentions last
    # Sparse, (K + 1, c) a rule: with a thousand classes all of it would be gigabytes of zeros.
    hot = [_one_hot(one, classes + 1) for one in said.T]
    person = np.eye(classes + 1)[cases[:, -1]][:, :classes]  # (c, K), zeros where nobody labelled it
    by_person, spoken = person.any(axis=1), (said != classes).any(axis=1)
    weight = count * np.where(by_person, _weight_of_a_person(count * spoken, by_person), 1.0)
    # How frequent a label is comes from people: rules need not speak of the labels evenly.
    frequent = count @ person + A_CLASS
    prior = frequent / frequent.sum()
    total = sum(one[:classes].toarray().T for one in hot) + 1e-3
    soft = np.where(by_person[:, None], person, total / total.sum(axis=1, keepdims=True))  # majority
    history: list[float] = []
    confusion = np.empty(0)
    for _ in range(steps):
        # M: counts, weighted by how likely each label is.
        weighted = weight[:, None] * soft
        counts = np.stack([(one @ weighted).T for one in hot])  # (m, K, K + 1)
        confusion = estimate(counts, smooth)
        # E: the posterior of each item's label.
        told = np.log(np.maximum(confusion, 1e-12))
        joint = np.log(prior) + sum(one[:, votes].T for one, votes in zip(told, said.T, strict=True))
        evidence = logsumexp(joint, axis=1)
        soft = np.where(by_person[:, None], person, np.exp(joint - evidence[:, None]))
        seen = np.where(by_person, (person * joint).sum(axis=1), evidence)
        history.append(float(weight @ seen / weight.sum()))
        if len(history) > 1 and abs(history[-1] - history[-2]) < TOLERANCE:
            break
    soft = np.where((spoken | by_person)[:, None], soft / soft.sum(axis=1, keepdims=True), prior)
    return LabelModel(soft, place.ravel(), prior, confusion, history)


def _one_hot(said: Votes, width: int) -> csr_array:
    """(c,) -> (width, c)"""
    count = len(said)
    return csr_array((np.ones(count), (said, np.arange(count))), shape=(width, count))


def _every_cell(counts: Floats, smooth: float) -> Floats:
    """(m, K, K + 1) counts of true label and vote -> probabilities of the votes given the label."""
    counts = counts.copy()
    counts[:, :, :-1] += smooth / counts.shape[1]
    return np.asarray(counts / np.maximum(counts.sum(axis=2, keepdims=True), 1e-12))


def _hits_and_misses(counts: Floats, smooth: float) -> Floats:
    """As `_every_cell`, but a wrong vote is as likely whatever the true label."""
    classes = counts.shape[1]
    same = np.eye(classes, dtype=bool)
    there = counts.sum(axis=2)[0] + smooth  # (K,), items of each label
    votes = counts[:, :, :classes] + smooth / classes
    hit = np.einsum("mkk->mk", votes) / np.maximum(there, 1e-12)  # (m, vote)
    wrong = np.where(same, 0, votes).sum(axis=1)
    miss = wrong / np.maximum(there.sum() - there, 1e-12)
    spoken = np.where(same, hit[:, None, :], miss[:, None, :])
    spoken = spoken / np.maximum(spoken.sum(axis=2, keepdims=True), 1)
    return np.concatenate([spoken, 1 - spoken.sum(axis=2, keepdims=True)], axis=2)


def _weight_of_a_person(votes: Floats, by_person: NDArray[np.bool_]) -> float:
    unchecked, judged = votes[~by_person].sum(), votes[by_person].sum()
    return float(np.clip(OVER_VOTES * unchecked / max(judged, 1.0), 1.0, PERSON))
