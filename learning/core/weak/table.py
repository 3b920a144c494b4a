"""What each rule does: how often it speaks, how often with others and against them, how right it is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.core.weak.label_model import ABSTAIN, LabelModel, Votes, checked


@dataclass(frozen=True)
class RuleRow:
    coverage: float  # share of items it votes on
    overlap: float  # share of items that it and another rule vote on
    conflict: float  # share of items on which another rule votes otherwise
    estimated_accuracy: (
        float | None
    )  # of its votes, by the label model; None if nothing speaks of them beside it
    checked: int  # votes on items that people labelled
    accuracy: float | None  # of those


def rule_table(votes: Votes, model: LabelModel, human: NDArray[np.int64]) -> list[RuleRow]:
    """One row a rule. `votes` (n, m), their model, `human` (n,) people's labels, -1 where there is none."""
    checked(votes, len(model.prior))
    spoke = votes != ABSTAIN  # (n, m)
    rows = []
    for rule in range(votes.shape[1]):
        own = spoke[:, rule]
        others = np.delete(np.arange(votes.shape[1]), rule)
        along = own & spoke[:, others].any(axis=1)
        against = own & (spoke[:, others] & (votes[:, others] != votes[:, [rule]])).any(axis=1)
        known = own & (human != ABSTAIN)
        right = votes[known, rule] == human[known]
        rows.append(
            RuleRow(
                coverage=float(own.mean()),
                overlap=float(along.mean()),
                conflict=float(against.mean()),
                estimated_accuracy=_estimated(model, votes[:, rule], own)
                if along.any() or known.any()
                else None,
                checked=int(known.sum()),
                accuracy=float(right.mean()) if known.any() else None,
            )
        )
    return rows


def _estimated(model: LabelModel, votes: Votes, own: NDArray[np.bool_]) -> float:
    return float(model.cases[model.place[own], votes[own]].mean())
