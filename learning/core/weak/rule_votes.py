"""What rules say of the items that are trained on, believed as far as the labels at hand bear it out."""

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from learning.core.weak.label_model import ABSTAIN, LabelModel, fitting_model

KEPT = 5  # label models: those of a comparison's folds, which each method asks for anew

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class RuleVotes:
    """How far a rule is believed comes from people's labels too: whoever holds some of them back, to be
    judged by, must not have the rules weighed by them. So soft labels are reckoned from votes each time, of
    the labels that are left; and rules that go by the score of a model, which learned from all of them, are
    silent then.
    """

    votes: NDArray[np.int64]  # (N, m), of all items that rules were asked about; ABSTAIN where one is silent
    classes: int
    places: Rows  # (n,), the row of `votes` of each item that is trained on; -1 for one without
    scored: tuple[int, ...] = ()  # rules, columns of `votes`, that go by a model's score
    held_back: bool = False  # labels are
    _kept: dict[bytes, LabelModel] = field(default_factory=dict, repr=False, compare=False)

    def rows(self, rows: Rows) -> "RuleVotes":
        """Of these items; those that are left out are held back."""
        fewer = len(np.unique(rows)) < len(self.places)
        return replace(self, places=self.places[rows], held_back=self.held_back or fewer)

    def model(self, labels: Rows) -> LabelModel:
        """The label model by these labels (n,) and no others; -1 where there is none."""
        known = np.full(len(self.votes), ABSTAIN, np.int64)
        there = self.places >= 0
        known[self.places[there]] = labels[there]
        key = hashlib.sha256(known.tobytes() + bytes([self.held_back])).digest()
        found = self._kept.get(key)
        if found is None:
            found = fitting_model(self._heard(), self.classes, known)
            while len(self._kept) >= KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = found
        return found

    def soft(self, labels: Rows) -> NDArray[np.float64]:
        """(n, K): what people said as it stands, of all else what the rules say."""
        people = labels != ABSTAIN
        found = np.eye(self.classes)[np.where(people, labels, 0)]
        found[~people] = self.model(labels).soft_of(self.places[~people])
        return found

    def _heard(self) -> NDArray[np.int64]:
        if not (self.held_back and self.scored):
            return self.votes
        votes = self.votes.copy()
        votes[:, list(self.scored)] = ABSTAIN
        return votes
