"""Is a new backbone better than the one in use? Labels that neither has learned from decide."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelling.models import Item, Project
from labelling.selectors import labelled
from learning.core.methods import METHODS, Head, TrainingData
from learning.core.methods.folds import Rows, folds, held_out_answers
from learning.selectors import learner_of
from learning.services.artifacts import embedder_load
from learning.services.backbones import BackboneArtifact, backbone_artifact
from learning.services.lessons import images_read

FOLDS = 5
# Labelled items of either kind that two backbones are compared on.
COMPARED = 2_000
LEAST_HOLDOUT = 20
SHARES = (0.125, 0.25, 0.5)
DRAWS = 3
KEPT = "it is kept, and not used so far."

Parts = list[tuple[Rows, Rows]]  # rows to learn from, rows to answer


@dataclass(frozen=True)
class Comparison:
    note: str  # one or two sentences for the page
    better: str = ""  # the backbone to use from now on; "" for the one in use


@dataclass(frozen=True)
class _Known:
    items: list[Item]
    labels: NDArray[np.int64]
    classes: int
    holdout: NDArray[np.bool_]


def backbones_compared(
    *, project: Project, candidates: Sequence[BackboneArtifact], saw_labels: bool
) -> Comparison:
    """By cross-validation on the pool's labels; of backbones that were trained on these, by the hold-out's.

    What is compared is the plain linear classifier on the features of each, and of the one in use.
    """
    known = _known(project)
    if saw_labels:
        asked = np.flatnonzero(known.holdout)
        if len(asked) < LEAST_HOLDOUT:
            return Comparison(
                f"The hold-out alone can judge what learned from the labels; it has {len(asked)} labels "
                f"instead of {LEAST_HOLDOUT}: {KEPT}"
            )
        parts = [(np.flatnonzero(~known.holdout), asked)]
    else:
        rows = np.flatnonzero(~known.holdout)
        parts = [
            (rows[learned], rows[asked])
            for learned, asked in folds(known.labels[rows], FOLDS, np.random.default_rng(0))
        ]
    learner = learner_of(project)
    if not parts or learner is None or len(np.unique(known.labels[parts[0][0]])) < 2:
        return Comparison(f"No class has two labels yet to compare features by: {KEPT}")
    used = backbone_artifact(name=learner.backbone)
    every = [used, *{one.name: one for one in candidates if one.name != used.name}.values()]
    data = [_embedded(one, known) for one in every]
    right = [int(held_out_answers(_fit, one, parts).sum()) for one in data]
    count = sum(len(asked) for _, asked in parts)
    best = int(np.argmax(right))  # of equals the first, which is the one in use
    beside = ", ".join(
        f"{one.name} {answers}" for one, answers in zip(every, right, strict=True) if one is not every[best]
    )
    said = f"{every[best].name} answered {right[best]} of {count} held-back labels rightly, {beside}"
    if best == 0:
        return Comparison(f"{said}: it stays in use.")
    return Comparison(
        f"{said}: it is used from now on.{_saving(data[best], parts, right[0])}", every[best].name
    )


def _embedded(backbone: BackboneArtifact, known: "_Known") -> TrainingData:
    images, readable = images_read(items=known.items, size=backbone.input_size)
    if len(readable) != len(known.items):
        broken = known.items[min(set(range(len(known.items))) - set(readable))]
        raise ValueError(f"The labelled image '{broken.name}' no longer decodes: restore its file.")
    embedder = embedder_load(digest=backbone.digest)
    parts = [embedder.embed(images[i : i + 64]) for i in range(0, len(images), 64)]
    return TrainingData(np.concatenate(parts), known.labels, known.classes)


def _known(project: Project) -> _Known:
    """Labelled items, pool and hold-out, of the project's first question."""
    learner = learner_of(project)
    if learner is None:
        return _Known([], np.empty(0, np.int64), 0, np.empty(0, bool))
    position = {label.pk: place for place, label in enumerate(learner.question.labels.all())}
    every = list(labelled(learner.question))
    chosen = []
    for split in (Item.Split.POOL, Item.Split.HOLDOUT):
        chosen += [one for one in every if one[2] == split][:COMPARED]
    items = Item.objects.in_bulk([pk for pk, _, _ in chosen])
    there = [one for one in chosen if one[0] in items]
    return _Known(
        [items[pk] for pk, _, _ in there],
        np.array([position[label] for _, label, _ in there], np.int64),
        len(position),
        np.array([split == Item.Split.HOLDOUT for _, _, split in there], bool),
    )


def _saving(data: TrainingData, parts: Parts, needed: int) -> str:
    """How many labels the new features need for as many right answers as the old ones with all."""
    most = max(len(learned) for learned, _ in parts)
    for share in SHARES:
        right = [_right(data, parts, share, seed) for seed in range(DRAWS)]
        if np.mean(right) >= needed:
            return (
                f" With {round(share * most):,} of the {most:,} labels it is as right as the other with all."
            )
    return ""


def _right(data: TrainingData, parts: Parts, share: float, seed: int) -> int:
    rng = np.random.default_rng(seed)
    fewer = [
        (rng.choice(rows, max(2, round(share * len(rows))), replace=False), asked) for rows, asked in parts
    ]
    if any(len(np.unique(data.labels[rows])) < 2 for rows, _ in fewer):
        return 0
    return int(held_out_answers(_fit, data, fewer).sum())


def _fit(data: TrainingData) -> Head:
    return METHODS["transfer"].fit(data, {}, np.random.default_rng(0))
