"""How good is a model where there is no hold-out? From the images that were drawn at random among the asked.

All labels of such a project are learned from, so each is judged by a model that did not see it. And most were
chosen because a model was unsure: those only count for themselves, the drawn ones for all that was left.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelling.models import Item
from labelling.selectors import asked_in_order
from learning.core.lure import LureEstimate, drawn_accuracy
from learning.core.methods import METHODS, TrainingData
from learning.core.methods.folds import cross_fitted
from learning.models import Learner, ModelVersion

FOLDS = 5
# A method that costs more than so many fits of transfer is fitted less often.
SLOW, SLOW_FOLDS = 10, 3


@dataclass(frozen=True)
class Draws:
    """What measures a version instead of a hold-out."""

    items: NDArray[np.int64]  # (n,), ids of the labelled items that were drawn at random
    labels: NDArray[np.int64]  # (n,)
    logits: NDArray[np.float32]  # (n, K), by models that did not learn from them
    estimate: LureEstimate

    def metrics(self) -> dict[str, Any]:
        return {
            "basis": ModelVersion.DRAWS,
            "accuracy": self.estimate.accuracy,
            "accuracy_low": self.estimate.low,
            "accuracy_high": self.estimate.high,
            "effective": self.estimate.effective,
        }


def draws_fits(learner: Learner, name: str) -> int:
    """How often `draws_measure` fits this method: not at all in a project with a hold-out."""
    if learner.project.holdout_share > 0:
        return 0
    return SLOW_FOLDS if METHODS[name].effort > SLOW else FOLDS


def draws_measure(
    *,
    learner: Learner,
    method: str,
    data: TrainingData,
    items: NDArray[np.int64],
    config: Mapping[str, Any],
) -> Draws | None:
    """The accuracy that `data`, people's labels of `items` (n,) first, teaches, on the project's images, by
    the method with these settings.

    It is that of models from 4 labels in 5, of this question alone, so a little low. An item whose class has
    no other example counts as wrong; one that was only skipped does not count. None for a project with a
    hold-out, and as long as nothing was drawn at random or no class has two labels.
    """
    # What was chosen from all labels is held to: choosing anew without a fold's labels would take as often
    # as long (tried on digits, outside the project: no difference beyond chance).
    folds = draws_fits(learner, config["chosen"]["method"] if "chosen" in config else method)
    if not folds:
        return None
    row_of = {item: row for row, item in enumerate(items.tolist())}
    asked = asked_in_order(learner.question)
    order = [(row_of[item], drawn) for item, drawn in asked if item in row_of]
    rows = np.array([row for row, _ in order], np.int64)
    drawn = np.array([drawn for _, drawn in order], bool)
    if not drawn.any():
        return None
    seed = np.random.default_rng([learner.seed, 1]).integers(2**63)
    logits, held = cross_fitted(
        lambda part: METHODS[method].fit(part, config, np.random.default_rng(seed)),
        data,
        folds,
        np.random.default_rng([learner.seed, 2]),
    )
    judged = rows[drawn & held[rows]]
    if not len(judged):
        return None
    pool = Item.objects.filter(project=learner.project_id, split=Item.Split.POOL).count()
    right = (logits.argmax(axis=1) == data.labels) & held
    return Draws(
        items=items[judged],
        labels=data.labels[judged],
        logits=logits[judged],
        estimate=drawn_accuracy(right[rows], drawn, pool - (len(asked) - len(order))),
    )
