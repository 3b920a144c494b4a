"""Is a new backbone better than the one in use? Labels that none of them has learned from decide."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelling.models import Item, Project
from labelling.selectors import labelled
from learning.core.methods import METHODS, Head, TrainingData
from learning.core.methods.budget import fit_seconds
from learning.core.methods.folds import HeldOut, Rows, best_of, folds, held_out
from learning.selectors import learner_of
from learning.services.artifacts import embedder_load
from learning.services.backbones import BackboneArtifact, backbone_artifact
from learning.services.lessons import Images, images_read

FOLDS = 5
TIMED = 16  # images that tell how long embedding takes
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

    def only(self, places: list[int]) -> "_Known":
        items = [self.items[place] for place in places]
        return _Known(items, self.labels[places], self.classes, self.holdout[places])


def backbones_compared(*, project: Project, candidates: Sequence[BackboneArtifact]) -> Comparison:
    """By how likely labels held back are to the plain linear classifier on the features of each backbone.

    By cross-validation on the pool's labels. Where one of them, new or in use, was trained on labels, it
    knows these: then by the hold-out's.
    """
    known = _known(project)
    learner = learner_of(project)
    if learner is None:
        return Comparison(f"The project has no learner yet to compare features for: {KEPT}")
    used = backbone_artifact(name=learner.backbone)
    # An image whose file is gone says nothing of features, and must not cost those that took hours.
    images, there = images_read(items=known.items, size=used.input_size)
    known = known.only(there)
    every = [used, *{one.name: one for one in candidates if one.name != used.name}.values()]
    if taught := [one.name for one in every if one.saw_labels]:
        asked = np.flatnonzero(known.holdout)
        if len(asked) < LEAST_HOLDOUT:
            return Comparison(
                f"{_listed(taught)} learned from the labels, so the hold-out alone can judge; it has "
                f"{len(asked)} labels instead of {LEAST_HOLDOUT}: {KEPT}"
            )
        parts = [(np.flatnonzero(~known.holdout), asked)]
    else:
        rows = np.flatnonzero(~known.holdout)
        parts = [
            (rows[learned], rows[asked])
            for learned, asked in folds(known.labels[rows], FOLDS, np.random.default_rng(0))
        ]
    if not parts or len(np.unique(known.labels[parts[0][0]])) < 2:
        return Comparison(f"No class has two labels yet to compare features by: {KEPT}")
    data = [_embedded(used, known, images), *(_embedded(one, known) for one in every[1:])]
    found = [held_out(_fit, one, parts) for one in data]
    best, surely = best_of(found)
    beside = ", ".join(
        f"{one.name} {_percent(answers)}"
        for one, answers in zip(every, found, strict=True)
        if answers is not found[best]
    )
    said = (
        f"{every[best].name} gives the true label of {len(found[best].labels)} held-back images a "
        f"probability of {_percent(found[best])} in the (geometric) mean, {beside}"
    )
    if best == 0:
        return Comparison(f"{said}: it stays in use.")
    if not surely:
        return Comparison(f"{said}: that may be chance, and {used.name} stays in use.")
    return Comparison(
        f"{said}: it is used from now on.{_saving(data[best], parts, found[0].likelihood)}", every[best].name
    )


def comparison_seconds(*, project: Project) -> float:
    """About how long comparing takes a backbone here, by a few of the labelled images; 0 without labels."""
    known = _known(project)
    learner = learner_of(project)
    if learner is None or not known.items:
        return 0.0
    used = backbone_artifact(name=learner.backbone)
    embedder = embedder_load(digest=used.digest)
    few = known.items[:TIMED]
    began = time.perf_counter()
    images, _ = images_read(items=few, size=used.input_size)
    if len(images):
        embedder.embed(images)
    each = (time.perf_counter() - began) / len(few)
    # What a fit takes is what `auto` plans by.
    return each * len(known.items) + FOLDS * fit_seconds(len(known.items))


def _percent(found: HeldOut) -> str:
    return f"{100 * np.exp(found.likelihood):.1f}%"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _embedded(backbone: BackboneArtifact, known: "_Known", images: Images | None = None) -> TrainingData:
    """`images`: the known ones in the backbone's size, if they are read already."""
    embedder = embedder_load(digest=backbone.digest)
    if images is None:
        images, _ = images_read(items=known.items, size=backbone.input_size)
    parts = [embedder.embed(images[i : i + 64]) for i in range(0, len(images), 64)]
    return TrainingData(np.concatenate(parts), known.labels, known.classes, parts=backbone.parts)


def _known(project: Project) -> _Known:
    """Labelled items, pool and hold-out, of the project's first question."""
    learner = learner_of(project)
    if learner is None:
        return _Known([], np.empty(0, np.int64), 0, np.empty(0, bool))
    position = {label.pk: place for place, label in enumerate(learner.question.labels.all())}
    every = list(labelled(learner.question))
    chosen = []
    for split in (Item.Split.POOL, Item.Split.HOLDOUT):
        of_split = [one for one in every if one[2] == split]
        # Not the first ones: images are often imported class by class.
        some = np.random.default_rng(0).permutation(len(of_split))[:COMPARED]
        chosen += [of_split[place] for place in np.sort(some)]
    items = Item.objects.in_bulk([pk for pk, _, _ in chosen])
    there = [one for one in chosen if one[0] in items]
    return _Known(
        [items[pk] for pk, _, _ in there],
        np.array([position[label] for _, label, _ in there], np.int64),
        len(position),
        np.array([split == Item.Split.HOLDOUT for _, _, split in there], bool),
    )


def _saving(data: TrainingData, parts: Parts, needed: float) -> str:
    """How many labels the new features need to be as good as the old ones with all."""
    most = max(len(learned) for learned, _ in parts)
    for share in SHARES:
        if np.mean([_likelihood(data, parts, share, seed) for seed in range(DRAWS)]) >= needed:
            return f" With {round(share * most):,} of the {most:,} labels it is as good as the other by all."
    return ""


def _likelihood(data: TrainingData, parts: Parts, share: float, seed: int) -> float:
    rng = np.random.default_rng(seed)
    fewer = [
        (rng.choice(rows, max(2, round(share * len(rows))), replace=False), asked) for rows, asked in parts
    ]
    if any(len(np.unique(data.labels[rows])) < 2 for rows, _ in fewer):
        return -np.inf
    return held_out(_fit, data, fewer).likelihood


def _fit(data: TrainingData) -> Head:
    return METHODS["transfer"].fit(data, {}, np.random.default_rng(0))
