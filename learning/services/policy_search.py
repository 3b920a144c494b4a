"""A search for an augmentation policy: asked for by a manager, done by all workers, kept with evidence."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from labelling.models import Item, Project
from labelling.models.project import random_seed
from labelling.selectors import labelled
from learning.core.augmentation import AUGMENTATIONS, policy_from
from learning.core.lazy import lazy
from learning.core.policy_search.config import config_from
from learning.core.policy_search.labels import part, too_few
from learning.core.policy_search.session import Session, Trial
from learning.core.policy_search.verdict import Verdict
from learning.models import AugmentationPolicy, Learner, PolicySearch
from learning.policy_selectors import best_trials
from learning.selectors import learner_of
from learning.services.policies import DEFAULT, examples_draw, free_name, policy_keep
from learning.services.policy_trials import (
    known_read,
    one_thread,
    trial_judge_next,
    trial_judge_overdue,
    trials_add,
)
from learning.services.work import WorkImpossible, work_do, work_owned

guards = lazy("learning.core.children.guards", often=False)


LIVE = (PolicySearch.State.QUEUED, PolicySearch.State.RUNNING, PolicySearch.State.PAUSED)
MINUTES = (0.1, 1_440.0)
MOST_LABELS = 5_000
WAIT = 0.05  # seconds, for trials that others are at

AskForHelp = Callable[[int], None]  # told the id of a search


def policy_search_request(
    *, project: Project, config: Mapping[str, Any], minutes: float | None = None
) -> PolicySearch:
    """Queue a search on the labels as they stand. What `config` does not say is as usual.

    Raises ValidationError, with a sentence, if it cannot be.
    """
    learner = learner_of(project)
    if learner is None:
        raise ValidationError("The project has no learner yet: try again in a moment.")
    if minutes is not None and not MINUTES[0] <= minutes <= MINUTES[1]:
        raise ValidationError(
            f"It cannot take {minutes:,.15g} minutes: give {MINUTES[0]:g} to {MINUTES[1]:,g}."
        )
    known = _labels_of(learner)
    labels = np.array([label for _, label in known], np.int64)
    if "rivals" in config:
        raise ValidationError("Rivals cannot be chosen: what is found always meets none and what is in use.")
    try:
        wanted = config_from({"seed": random_seed(), **config, "rivals": _rivals(learner)})
        # Of the very labels that will be judged by.
        used = labels[part(len(labels), wanted.fraction, wanted.seed)]
        if lacking := too_few(used, learner.question.labels.count()):
            of = f"{wanted.fraction:.0%} of the labels are to be used. " if len(used) < len(labels) else ""
            raise ValueError(of + lacking)
    except (ValueError, TypeError) as error:
        raise ValidationError(str(error)) from error
    try:
        with transaction.atomic():
            return PolicySearch.objects.create(
                project=project,
                config=wanted.as_json(),
                minutes=minutes,
                known=known,
                total=Session.expected(wanted),
            )
    except IntegrityError:
        raise ValidationError("A search of this project is under way: wait for it or end it.") from None


def policy_search_pause(*, search: PolicySearch) -> None:
    """Its workers stop after the trials they are at. Nothing happens if it is over."""
    PolicySearch.objects.filter(
        pk=search.pk, state__in=[PolicySearch.State.QUEUED, PolicySearch.State.RUNNING]
    ).update(state=PolicySearch.State.PAUSED, stage="paused")


def policy_search_resume(*, search: PolicySearch) -> None:
    """Go on where it was paused."""
    PolicySearch.objects.filter(pk=search.pk, state=PolicySearch.State.PAUSED).update(
        state=PolicySearch.State.QUEUED, stage="", enqueued_at=None, spared=F("attempt")
    )


def policy_search_end(*, search: PolicySearch) -> None:
    """End it for a person; its trials stay. Nothing happens if it is over."""
    PolicySearch.objects.filter(pk=search.pk, state__in=LIVE).update(
        state=PolicySearch.State.FAILED,
        stage="",
        error="It was ended by a manager.",
        finished_at=timezone.now(),
    )


def policy_search_do(*, search_id: int, ask_for_help: AskForHelp = lambda search_id: None) -> bool:
    """Search, keep what is found, and let the learner use it if it is better than none and than what is used.

    True when this call finished the search. Harmless for one that is over or another worker's; a worker that
    takes it over goes on after the last trial.
    """
    with one_thread():
        return work_do(
            PolicySearch,
            pk=search_id,
            stage="reading the labelled images",
            do=lambda search: _do(search, ask_for_help),
            words="The search stopped",
        )


def _do(search: PolicySearch, ask_for_help: AskForHelp) -> None:
    if not search.trials.exists():
        _guard(search)
    session = Session(config_from(search.config))
    since = time.monotonic()
    while batch := session.batch():
        rows = search.trials.filter(number__gte=batch[0].number)
        first = rows.first()
        over = search.minutes is not None and search.seconds > 60 * search.minutes
        # What an attempt before this one has begun is gone on with, though time be over.
        if batch[0].kind == "search" and (first.kind != "search" if first else over):
            session.enough()
            continue
        work_owned(search, stage=_stage(batch[0]))
        trials_add(search=search, trials=batch)
        rewards = _judged(search, batch, ask_for_help)
        session.tell(rewards)
        now = time.monotonic()
        search.seconds, since = search.seconds + now - since, now
        work_owned(search, seconds=search.seconds, spared=search.spared)
        if batch[0].kind == "search":
            _picture_best(search)
    _finish(search, session.verdict())


def _judged(search: PolicySearch, batch: list[Trial], ask_for_help: AskForHelp) -> list[float]:
    """The rewards of a batch, whoever judges."""
    numbers = [one.number for one in batch]
    mine = search.trials.filter(number__in=numbers)
    if mine.filter(reward=None).exists():
        ask_for_help(search.pk)
    while mine.filter(reward=None).exists():
        # Whoever judges a trial has not died of the search: a kill from now on is no try at it.
        work_owned(search, spared=search.spared)
        if trial_judge_next(search_id=search.pk) or trial_judge_overdue(search_id=search.pk):
            search.spared = search.attempt
        else:
            time.sleep(WAIT)
    return [float(one.reward or 0.0) for one in mine.order_by("number")]


def _guard(search: PolicySearch) -> None:
    """Leave out operations that make one class of another, and say so."""
    config = config_from(search.config)
    known = known_read(search)
    names = list(search.project.questions.order_by("position", "id")[0].labels.values_list("name", flat=True))
    found = guards.destroyed(known, config.space.operations, config.seed)
    if not found:
        work_owned(search, left_out=[] if guards.telling(known) else [guards.CANNOT_TELL])
        return
    if len(found) == len(config.space.operations):
        raise WorkImpossible(
            f"every operation of the search space destroys labels: {found[0].words(names)}. Choose others."
        )
    search.left_out = [one.words(names) for one in found]
    search.config = {
        **search.config,
        "space": config.space.without([one.operation for one in found]).as_json(),
    }
    work_owned(search, left_out=search.left_out, config=search.config)


def _picture_best(search: PolicySearch) -> None:
    for trial in best_trials(search):
        if not trial.pictures and trial.policy is not None:
            path = examples_draw(project=search.project, policy=policy_from(trial.policy))
            search.trials.filter(pk=trial.pk).update(pictures=path)


def _finish(search: PolicySearch, verdict: Verdict) -> None:
    config = config_from(search.config)
    evidence = {
        "search": config.search,
        "trials": search.trials.filter(kind="search").count(),
        "diverged": search.trials.filter(diverged=True).count(),
        "labels": len(part(len(search.known), config.fraction, config.seed)),
        "seconds": round(search.seconds, 1),
        "config": config.as_json(),
        "verdict": verdict.as_json(),
        "left_out": search.left_out,
    }
    with transaction.atomic():
        kept = policy_keep(
            project=search.project,
            policy=verdict.policy,
            name=free_name(project=search.project, name=f"{config.search}-{verdict.policy.digest[:8]}"),
            evidence=evidence,
            search=search,
        )
        learner = learner_of(search.project)
        used = learner.augmentation if learner else ""
        # What a person chose meanwhile has not been met, and is not replaced.
        met = learner is not None and set(_rivals(learner)) <= set(config.rivals)
        best = kept.name if verdict.best == verdict.candidate else verdict.best
        if verdict.better and met:
            Learner.objects.filter(project=search.project_id).update(augmentation=best)
        note = _words(verdict, kept, best, used, met=met)
        work_owned(
            search,
            state=PolicySearch.State.DONE,
            stage="",
            verdict=verdict.as_json(),
            note=note[:600],
            total=search.trials.count(),
            finished_at=timezone.now(),
        )


def _words(verdict: Verdict, kept: AugmentationPolicy, best: str, used: str, *, met: bool) -> str:
    end = "what is in use stays in use"
    if used == best:
        end = "it is in use already"
    elif verdict.better and met:
        end = "features that are learned from now on use it"
    elif verdict.better:
        end = f"it is not used, since {used}, chosen meanwhile, stays in use"
    said = "; ".join(filter(None, (verdict.words, verdict.instead, end)))
    return f"{kept.name}, on fresh seeds and halves of the labels: {said}."


def _stage(trial: Trial) -> str:
    words = {"search": "trying policies", "finalist": "trying the best again"}
    return words.get(trial.kind, "comparing the winner")


def _rivals(learner: Learner) -> dict[str, Any]:
    """What is in use; where that is none, the winner meets it anyway."""
    name = learner.augmentation
    if name == "none":
        return {}
    kept = AugmentationPolicy.objects.filter(project=learner.project_id, name=name).first()
    if kept is not None:
        return {name: kept.policy}
    return {name if name in AUGMENTATIONS else DEFAULT: None}


def _labels_of(learner: Learner) -> list[list[int]]:
    """Of the pool, never of the hold-out: [item's id, class], a random part if there are many."""
    position = {label.pk: place for place, label in enumerate(learner.question.labels.all())}
    pool = [one for one in labelled(learner.question) if one[2] == Item.Split.POOL]
    known = [[pk, position[label]] for pk, label, _ in pool]
    rows = np.random.default_rng(learner.seed).permutation(len(known))[:MOST_LABELS]
    return [known[row] for row in rows]
