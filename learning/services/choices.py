"""The automatic method's choice: compared beside the trainings, which people wait for; it takes seconds."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone
from threadpoolctl import threadpool_limits

from learning.core.methods.auto import NAME, SECONDS, choice
from learning.core.methods.base import FALLBACK
from learning.models import Learner, MethodChoice, ModelVersion, Work
from learning.services.backbones import backbone_artifact
from learning.services.training_data import Labelled, labelled_read, training_data
from learning.services.work import work_do, work_owned, work_ticker

# Compared anew with so many times as many labels, or as many fewer. The best of the methods changes slowly:
# once between 40 and 400 labels, from self-training to semi-supervised (benchmarks.methods).
GROWN = 1.25
NOT_YET: Mapping[str, Any] = {"method": FALLBACK, "labels": 0, "why": "methods are compared in a moment"}
UNDER_WAY = (Work.State.QUEUED, Work.State.RUNNING)


def method_config(learner: Learner) -> dict[str, Any]:
    """The settings of the learner's method: of the automatic one, what was chosen last."""
    if learner.method != NAME:
        return {}
    made = MethodChoice.objects.filter(learner=learner).first()
    return {"chosen": made.choice if made and made.choice else dict(NOT_YET)}


def choice_ensure(*, learner: Learner, known: Labelled) -> None:
    """Have methods compared, if they were not yet for these features, classes and rules, or so few labels.

    Call it when a training is published.
    """
    if learner.method != NAME:
        return
    made, _ = MethodChoice.objects.get_or_create(
        learner=learner, defaults={"project_id": learner.project_id, "state": Work.State.DONE}
    )
    count, before = len(known.snapshot.pool.labels), made.choice.get("labels", 0)
    holds = made.basis == _basis(learner, known) and before / GROWN < count < before * GROWN
    if not holds:
        MethodChoice.objects.filter(pk=made.pk).exclude(state__in=UNDER_WAY).update(
            state=Work.State.QUEUED, stage="", attempt=0, error="", enqueued_at=None, finished_at=None
        )


def choice_do(*, choice_id: int) -> bool:
    """Compare, and train anew if another method than the newest model's is the best. True when this call
    finished it.

    Harmless for one that is done, gone or another worker's.
    """
    with threadpool_limits(limits=1):
        return work_do(
            MethodChoice,
            pk=choice_id,
            stage="reading the labels",
            do=_do,
            words="Methods could not be compared",
        )


def _do(work: MethodChoice) -> None:
    learner = work.learner
    known = labelled_read(learner)
    found = None
    if learner.method == NAME and known.trainable:
        tick = work_ticker(work, "methods")
        # As much as there is memory for: what there is time for, comparing plans itself.
        lesson = training_data(learner, known, tick, method=NAME, seconds=np.inf)
        seconds = min(SECONDS, learner.training_seconds)
        # The learner's seed: the choice that a training would come to by itself.
        found = choice(lesson.data, {"seconds": seconds}, np.random.default_rng(learner.seed))
    newest = ModelVersion.objects.filter(learner=learner).order_by("-number").first()
    used = newest.card["config"].get("chosen", {}).get("method") if newest else None
    with transaction.atomic():
        work_owned(
            work,
            state=Work.State.DONE,
            stage="",
            choice=found or {},
            basis=_basis(learner, known),
            finished_at=timezone.now(),
        )
        if found and found["method"] != used:
            Learner.objects.filter(pk=learner.pk).update(requested_at=timezone.now())


def _basis(learner: Learner, known: Labelled) -> dict[str, Any]:
    return {
        "backbone": backbone_artifact(name=learner.backbone).digest,
        "classes": [label.pk for label in known.snapshot.classes],
        "rules": known.weak.record["rules"] if known.weak else [],
    }
