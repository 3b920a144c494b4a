"""What a policy is worth, on labelled pictures that a child has not learned from."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from learning.core.augmentation import AUGMENTATIONS, Augment
from learning.core.children.children import ChildDiverged, Children, children_train
from learning.core.methods.folds import Rows, folds
from learning.core.policy_search.base import Judged
from learning.core.policy_search.labels import evenly, part, too_few
from learning.core.policy_search.plan import ChildPlan
from learning.core.policy_search.session import Trial
from learning.core.pretraining import Answered

FOLDS = 2  # a child learns one half and answers the other, then another the other way round
LOOKS = 4  # at each picture, by density matching


@dataclass(frozen=True)
class Outcome:
    reward: float  # the share of answers that were right, 0..1
    diverged: bool
    seconds: float


class Judge:
    """Prepared once for a project's labels; every process that judges the same gets the same answers."""

    def __init__(
        self, known: Answered, classes: int, plan: ChildPlan, seed: int, *, fraction: float = 1.0
    ) -> None:
        """`fraction`: of the labels, the rest is left out. Raises ValueError where there are too few."""
        rows = part(len(known.labels), fraction, seed)
        known = Answered(known.images[rows], known.labels[rows])
        if lacking := too_few(known.labels, classes):
            raise ValueError(lacking)
        self.images = channels_first(known.images)
        self.labels = torch.from_numpy(known.labels)
        self.classes, self.plan, self.seed = classes, plan, seed
        self.finals = plan.for_finals(len(known.labels))
        self.parts = self._parts(plan, np.random.default_rng(seed))

    def outcome(self, trial: Trial, how: Judged) -> Outcome:
        """A child that diverges is worth nothing, which is no error."""
        began = time.perf_counter()
        try:
            if how == "density" and trial.kind == "search":
                right = self._by_density(trial.augment, trial.seed)
            else:
                plan = self.plan if trial.kind == "search" else self.finals
                right = self._by_children(trial.augment, plan, trial.seed, self.halves(trial))
        except ChildDiverged:
            return Outcome(0.0, True, time.perf_counter() - began)
        return Outcome(right, False, time.perf_counter() - began)

    @cached_property
    def plain(self) -> Children:
        """Children that learned pictures as they are, one a half."""
        return self._children(AUGMENTATIONS["none"].apply, self.plan, self.parts, 0)

    def halves(self, trial: Trial) -> list[tuple[Rows, Rows]]:
        """What each child learns, and answers. Of finalists drawn anew: what a search found may be chance."""
        if trial.kind == "search":
            return self.parts
        return self._parts(self.finals, np.random.default_rng([self.seed, trial.seed]))

    def _parts(self, plan: ChildPlan, rng: np.random.Generator) -> list[tuple[Rows, Rows]]:
        labels = self.labels.numpy()
        learned = evenly(labels, plan.labels, rng)
        spare = np.setdiff1d(np.arange(len(labels)), learned)
        return [
            (learned[mine], np.concatenate([learned[asked], spare]))
            for mine, asked in folds(labels[learned], FOLDS, rng)
        ]

    def _by_children(
        self, augment: Augment, plan: ChildPlan, seed: int, parts: Sequence[tuple[Rows, Rows]]
    ) -> float:
        found = self._children(augment, plan, parts, seed).logits([self.images[asked] for _, asked in parts])
        return self._right(found, parts)

    def _by_density(self, augment: Augment, seed: int) -> float:
        """Lim et al. 2019, equation 2: are changed pictures still recognised by who knows none of them?"""
        generator = torch.Generator().manual_seed(seed)
        looks = [
            self.plain.logits([augment(self.images[asked], generator) for _, asked in self.parts])
            for _ in range(LOOKS)
        ]
        return float(np.mean([self._right(found, self.parts) for found in looks]))

    def _right(self, logits: Sequence[NDArray[np.float32]], parts: Sequence[tuple[Rows, Rows]]) -> float:
        truth = self.labels.numpy()
        right = [
            found.argmax(axis=1) == truth[asked] for found, (_, asked) in zip(logits, parts, strict=True)
        ]
        return float(np.concatenate(right).mean())

    def _children(
        self, augment: Augment, plan: ChildPlan, parts: Sequence[tuple[Rows, Rows]], seed: int
    ) -> Children:
        images, labels = ([of[learned] for learned, _ in parts] for of in (self.images, self.labels))
        seeds = [seed + number for number in range(len(parts))]
        return children_train(images, labels, self.classes, augment, plan, seeds)


def channels_first(images: NDArray[np.uint8]) -> torch.Tensor:
    """(n, S, S, 3) -> (n, 3, S, S), or (n, 1, S, S) if all are grey: a third of the work."""
    if (images == images[..., :1]).all():
        images = images[..., :1]
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
