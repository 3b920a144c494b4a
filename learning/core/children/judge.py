"""What a policy is worth, on labelled pictures that a child has not learned from."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from learning.core.augmentation import AUGMENTATIONS, Augment
from learning.core.children.child import Child, ChildDiverged, child_train
from learning.core.methods.folds import Rows, folds
from learning.core.policy_search.base import Judged
from learning.core.policy_search.labels import too_few
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
        known = part_of(known, fraction, seed)
        if lacking := too_few(known.labels, classes):
            raise ValueError(lacking)
        self.images = channels_first(known.images)
        self.labels = torch.from_numpy(known.labels)
        self.classes, self.plan, self.seed = classes, plan, seed
        self.parts = folds(known.labels, FOLDS, np.random.default_rng(seed))

    def outcome(self, trial: Trial, how: Judged) -> Outcome:
        """A child that diverges is worth nothing, which is no error."""
        began = time.perf_counter()
        try:
            if how == "density" and trial.kind == "search":
                right = self._by_density(trial.augment, trial.seed)
            else:
                right = self._by_children(trial.augment, trial.seed, self.halves(trial))
        except ChildDiverged:
            return Outcome(0.0, True, time.perf_counter() - began)
        return Outcome(right, False, time.perf_counter() - began)

    @cached_property
    def plain(self) -> list[Child]:
        """Children that learned pictures as they are, one a half."""
        unchanged = AUGMENTATIONS["none"].apply
        return [self._child(unchanged, learned, number) for number, (learned, _) in enumerate(self.parts)]

    def halves(self, trial: Trial) -> list[tuple[Rows, Rows]]:
        """Of finalists drawn anew: what the search found on its own may be chance."""
        if trial.kind == "search":
            return self.parts
        return folds(self.labels.numpy(), FOLDS, np.random.default_rng([self.seed, trial.seed]))

    def _by_children(self, augment: Augment, seed: int, parts: Sequence[tuple[Rows, Rows]]) -> float:
        right = asked = 0
        for number, (learned, held_out) in enumerate(parts):
            child = self._child(augment, learned, seed + number)
            guess = child.logits(self.images[held_out]).argmax(axis=1)
            right += int((guess == self.labels[held_out].numpy()).sum())
            asked += len(held_out)
        return right / asked

    def _by_density(self, augment: Augment, seed: int) -> float:
        """Lim et al. 2019, equation 2: are changed pictures still recognised by who knows none of them?"""
        generator = torch.Generator().manual_seed(seed)
        right: list[NDArray[np.bool_]] = []
        for child, (_, held_out) in zip(self.plain, self.parts, strict=True):
            for _ in range(LOOKS):
                guess = child.logits(augment(self.images[held_out], generator)).argmax(axis=1)
                right.append(guess == self.labels[held_out].numpy())
        return float(np.concatenate(right).mean())

    def _child(self, augment: Augment, learned: Rows, seed: int) -> Child:
        images, labels = self.images[learned], self.labels[learned]
        return child_train(images, labels, self.classes, augment, self.plan, seed)


def channels_first(images: NDArray[np.uint8]) -> torch.Tensor:
    """(n, S, S, 3) -> (n, 3, S, S), or (n, 1, S, S) if all are grey: a third of the work."""
    if (images == images[..., :1]).all():
        images = images[..., :1]
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def part_of(known: Answered, fraction: float, seed: int) -> Answered:
    """A random part."""
    count = round(fraction * len(known.labels))
    if count >= len(known.labels):
        return known
    rows = np.sort(np.random.default_rng([seed, 7]).permutation(len(known.labels))[:count])
    return Answered(known.images[rows], known.labels[rows])
