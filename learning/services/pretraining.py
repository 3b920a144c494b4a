"""Runs that learn features: asked for by a manager, done by a worker, compared with what is in use."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from labelling.models import Item, Project
from labelling.models.project import random_seed
from learning.core.backbones import BACKBONES
from learning.core.pretraining import PRETRAININGS, Pretraining
from learning.core.shown import shown
from learning.models import Learner, PretrainingRun, Work
from learning.selectors import backbones_of, learner_of
from learning.services.backbones import BackboneArtifact, backbone_artifact
from learning.services.comparison import Comparison, backbones_compared, comparison_seconds
from learning.services.features import BY_ITSELF, features_learn, ways_of
from learning.services.lessons import lessons_lacking
from learning.services.pairs import backbone_paired
from learning.services.policies import DEFAULT
from learning.services.time_budget import TimeBudget
from learning.services.work import work_do, work_owned

MINUTES = (0.1, 240.0)
BATCH = (2, 4_096)


def pretraining_request(
    *, project: Project, method: str, minutes: float | None = None, batch: int | None = None
) -> PretrainingRun:
    """Queue a run on the project's pool, of about so many minutes and of batches of that size if given.

    The minutes are for all of it: measuring batches, exporting and comparing take their part.

    Raises ValidationError, with a sentence, if it cannot be.
    """
    if method != BY_ITSELF and method not in PRETRAININGS:
        known = ", ".join([BY_ITSELF, *PRETRAININGS])
        raise ValidationError(f"There is no pretraining {shown(method)}; choose one of {known}.")
    if Item.objects.filter(project=project, split=Item.Split.POOL)[:2].count() < 2:
        raise ValidationError("Pretraining needs at least two images in the pool: import some first.")
    if minutes is not None and not MINUTES[0] <= minutes <= MINUTES[1]:
        raise ValidationError(
            f"It cannot take {minutes:,.15g} minutes: give {MINUTES[0]:g} to {MINUTES[1]:g}."
        )
    if batch is not None and not BATCH[0] <= batch <= BATCH[1]:
        raise ValidationError(f"A batch of {shown(batch)} cannot be: give {BATCH[0]} to {BATCH[1]:,} images.")
    way = PRETRAININGS.get(method)
    if batch is not None and way and not way.has_batch:
        raise ValidationError(f"{way.title} has no batch to choose: leave it out.")
    if way and (lacking := lessons_lacking(project=project, way=way)):
        raise ValidationError(f"{way.title} needs {lacking}: label some images first.")
    learner = learner_of(project)
    # Decided now and kept: a worker that takes it over must go on with the same.
    config: dict[str, Any] = {"augmentation": learner.augmentation if learner else DEFAULT}
    if minutes is not None:
        config["minutes"] = minutes
    if batch is not None:
        config["settings"] = {"batch": batch}
    try:
        with transaction.atomic():
            return PretrainingRun.objects.create(
                project=project, method=method, seed=random_seed(), config=config
            )
    except IntegrityError:
        raise ValidationError("A pretraining of this project is under way: wait for it or end it.") from None


def pretraining_end(*, run: PretrainingRun) -> None:
    """End it for a person: the worker stops at its next report. Nothing happens if it is over."""
    PretrainingRun.objects.filter(pk=run.pk, state__in=[Work.State.QUEUED, Work.State.RUNNING]).update(
        state=Work.State.FAILED, stage="", error="It was ended by a manager.", finished_at=timezone.now()
    )


def pretraining_do(*, run_id: int) -> bool:
    """Learn backbones, store them, and let the project use one by which labels held back are likelier.

    True when this call finished the run. Harmless for one that is over or another worker's. A worker that
    takes it over goes on from the last epoch.
    """
    return work_do(PretrainingRun, pk=run_id, stage="reading the images", do=_do, words="Pretraining stopped")


def _do(run: PretrainingRun) -> None:
    stages = ways_of(run)
    count = sum(map(len, stages))
    budget = _budget(run)
    learned: list[BackboneArtifact] = []
    notes: list[str] = []
    used, done = "", 0
    for place, ways in enumerate(stages):
        new: list[BackboneArtifact] = []
        for way in ways:
            compared = _compared(run, stages[place:])
            seconds = partial(budget.for_training, ways=count - done, compared=compared) if budget else None
            try:
                own = features_learn(run=run, way=way, begun=done / count, share=1 / count, seconds=seconds)
            except ValueError as error:
                # Of several ways, one that comes to nothing does not stop the others.
                if count == 1:
                    raise
                notes.append(f"{way.title} came to nothing: {str(error).rstrip('.')}.")
                continue
            finally:
                done += 1
            learned.append(own)
            pair = backbone_paired(run=run, way=way.name, own=own)
            new += [own, pair] if pair else [own]
        if not new:
            continue
        saw_labels = any(way.from_labels for way in ways)
        # By itself, everything there is has its chance, also what was learned in earlier runs.
        every = [] if saw_labels or run.method != BY_ITSELF else _known(run.project)
        work_owned(run, stage="comparing features on held-back labels")
        found = backbones_compared(project=run.project, candidates=[*every, *new])
        notes.append(found.note)
        used = _switch(run, found) or used
    if not learned:
        raise ValueError(" ".join(notes))
    work_owned(
        run,
        state=Work.State.DONE,
        stage="",
        progress=1.0,
        backbone=used or learned[-1].name,
        note=" ".join(notes)[:2000],
        finished_at=timezone.now(),
    )


def _budget(run: PretrainingRun) -> TimeBudget | None:
    if "minutes" not in run.config:
        return None
    return TimeBudget(60 * run.config["minutes"], comparison_seconds(project=run.project))


def _compared(run: PretrainingRun, stages: Sequence[Sequence[Pretraining]]) -> int:
    """How often a backbone will be embedded by and fitted to, in what these stages compare. What is learned
    is compared alone and beside the pretrained one.
    """
    there = len({**BACKBONES, **backbones_of(run.project)}) if run.method == BY_ITSELF else 1
    return sum((1 if any(way.from_labels for way in ways) else there) + 2 * len(ways) for ways in stages)


def _known(project: Project) -> list[BackboneArtifact]:
    """All that the project could use and that has not learned from labels."""
    every = [backbone_artifact(name=name) for name in {**BACKBONES, **backbones_of(project)}]
    return [one for one in every if not one.saw_labels]


def _switch(run: PretrainingRun, found: Comparison) -> str:
    """Use the better one, if there is one; its name."""
    if found.better:
        with transaction.atomic():
            work_owned(run)
            Learner.objects.filter(project=run.project_id).update(
                backbone=found.better, requested_at=timezone.now()
            )
    return found.better
