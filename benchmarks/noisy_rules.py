"""Rules as a project might have them: by noisy metadata, or by a few examples of each class."""

import numpy as np
from numpy.typing import NDArray

from learning.core.methods import NO_LABEL, TrainingData
from learning.core.weak.conditions import RuleItems
from learning.core.weak.label_model import ABSTAIN, fitting_model
from learning.core.weak.rules import rule_from_json, votes

SHELVED = 0.6  # of the items lie on a shelf ...
RIGHT = 0.75  # ... which in this share is the one of their class, else any
EXAMPLES = 3  # of each class, of those that people labelled
REACH = 0.05  # of the pool is as near to an example of a class as its rule asks
MOST_SOFT = 2_000  # as in learning.services.weak_labels

Ids = NDArray[np.int64]
Matrix = NDArray[np.float32]
Conditions = dict[int, dict[str, object]]


def ruled(
    embeddings: Matrix, truth: Ids, people: Ids, classes: int, kind: str, rng: np.random.Generator
) -> TrainingData:
    """What a project with one rule a class learns from: people's labels (N,), NO_LABEL for the open pool, and
    the rules' votes on the rest. Of the `truth` (N,), only the shelves are made.
    """
    items = RuleItems(
        ids=[str(row) for row in range(len(people))],
        metadata=_shelves(truth, classes, rng),
        embeddings=embeddings,
        examples={str(row): embeddings[row] for row in np.flatnonzero(people != NO_LABEL)},
    )
    conditions = _by_shelf(classes) if kind == "metadata" else _by_examples(people, embeddings)
    rules = [
        rule_from_json({"name": f"class {label}", "label": label, "when": [when]}, classes)
        for label, when in conditions.items()
    ]
    said = votes(rules, items)
    soft = fitting_model(said, classes, people).soft
    free = np.flatnonzero((said != ABSTAIN).any(axis=1) & (people == NO_LABEL))
    if len(free) > MOST_SOFT:
        free = np.sort(rng.choice(free, MOST_SOFT, replace=False))
    rows = np.concatenate([np.flatnonzero(people != NO_LABEL), free])
    return TrainingData(embeddings[rows], people[rows], classes, soft=soft[rows])


def _shelves(truth: Ids, classes: int, rng: np.random.Generator) -> list[dict[str, str]]:
    shelf = np.where(rng.random(len(truth)) < RIGHT, truth, rng.integers(0, classes, len(truth)))
    there = rng.random(len(truth)) < SHELVED
    return [{"shelf": str(one)} if known else {} for one, known in zip(shelf, there, strict=True)]


def _by_shelf(classes: int) -> Conditions:
    return {
        label: {"kind": "metadata", "field": "shelf", "operator": "=", "value": str(label)}
        for label in range(classes)
    }


def _by_examples(people: Ids, embeddings: Matrix) -> Conditions:
    """Nothing but people's labels is known here: what is near a few of them is taken to be like them."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    found: Conditions = {}
    for label in np.unique(people[people != NO_LABEL]).tolist():
        rows = np.flatnonzero(people == label)[:EXAMPLES]
        distance = np.sqrt(np.maximum(2 - 2 * unit @ unit[rows].T, 0)).min(axis=1)
        reach = float(np.quantile(distance, REACH))
        found[label] = {"kind": "near", "examples": [str(row) for row in rows], "distance": reach}
    return found
