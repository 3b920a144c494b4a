"""The loop, from labels to a reordered queue, top to bottom: what a worker does for one run."""

import logging
import time
from dataclasses import replace

import numpy as np
from django.db import transaction
from threadpoolctl import threadpool_limits

from labelling.models import Project
from labelling.services.annotations import annotations_through
from labelling.services.queue import queue_swap
from learning.core.methods import METHODS, fit_committee, fit_questions
from learning.core.stopping import StopState
from learning.core.strategies import STRATEGIES
from learning.models import Learner, ModelVersion, Round, TrainingRun
from learning.services.choices import choice_ensure, method_config
from learning.services.draws import draws_fits, draws_measure
from learning.services.lanes import queue_of_lanes
from learning.services.other_answers import other_answers
from learning.services.outlook import Outlook, outlook_of, probes_of
from learning.services.ranking import Known, Model, Ranking, pool_rank
from learning.services.rule_checks import check_keep
from learning.services.runs import run_done
from learning.services.search import AskForHelp, search_end
from learning.services.training_data import labelled_read, training_data
from learning.services.versions import VersionDraft, version_draft, version_publish
from learning.services.work import WorkLost, work_claim, work_give_up, work_heartbeat, work_owned, work_ticker

logger = logging.getLogger(__name__)

ROUND_HEAD = 100
# When nothing but the proof of the accuracy is missing, this share of the questions is blind.
PROOF_SHARE = 0.9
ONLY_PROOF = "Nine questions in ten are blind now: only the proof of the accuracy is missing."


def _nobody(search_id: int) -> None:
    """Ask nobody: this worker searches a big pool alone."""


def run_train(*, run_id: int, ask_for_help: AskForHelp = _nobody) -> bool:
    """Train, measure, publish, rank, swap the queue. True when this call published.

    `ask_for_help` is told the search of a big pool, which other workers can then share.

    Without labels of two classes yet, by people or by rules, there is a ranking and no model.

    Harmless to call for a run that is done, gone or another worker's. Slow work happens outside transactions;
    all that people see changes in one at the end, and only if this worker still owns the run.
    """
    run = work_claim(TrainingRun, pk=run_id, stage="reading the labels")
    if run is None:
        return False
    try:
        # A head is so small that the threads of the linear algebra cost more than they bring: on a busy
        # machine one fit takes 0.3 s on one thread and up to 9 s on two that wait for each other.
        with work_heartbeat(run), threadpool_limits(limits=1):
            return _train(run, ask_for_help)
    except WorkLost as lost:
        logger.info("%s", lost)
    except Exception as error:
        if not Project.objects.filter(pk=run.project_id).exists():
            logger.info("Training run %s ends: its project was deleted.", run.pk)
            return False
        logger.exception("Training run %s failed.", run.pk)
        work_give_up(run, error, words="Training stopped")
    return False


def _train(run: TrainingRun, ask_for_help: AskForHelp) -> bool:
    started = time.monotonic()
    learner, project = run.learner, run.project
    # Before the labels are read: a label that comes in between is read, and trained on once more.
    through = annotations_through(project=project)
    read = labelled_read(learner)
    embeddings, snapshot, weak = read.embeddings, read.snapshot, read.weak
    ids = embeddings.ids  # (N,)
    if not read.trainable and ModelVersion.objects.filter(learner=learner).exists():
        # Labels were undone since the run was made: the ranking in force stays.
        with transaction.atomic():
            run_done(run=run, through=through, snapshot=snapshot.digest)
        return False
    known = Known(embeddings.take(snapshot.pool.rows), snapshot.pool.labels)
    rng = np.random.default_rng(run.seed)
    if not read.trainable:
        work_owned(run, stage="ranking the pool for the first labels")
        ranking = pool_rank(run=run, known=known, model=None, rng=rng, ask_for_help=ask_for_help)
        _publish(run, None, ranking, through, snapshot.digest, started)
        return True

    count = len(snapshot.pool.labels)
    work_owned(
        run, stage=f"training on {count:,} labels", snapshot=snapshot.digest, through_annotation=through
    )
    # The learner's seed, not the run's: the same labels give the same model, whichever run trains it.
    config = method_config(learner)
    asked = config["chosen"]["method"] if config else learner.method
    lesson = training_data(
        learner,
        read,
        work_ticker(run, f"training on {count:,} labels"),
        method=asked,
        seconds=learner.training_seconds,
        fits=1 + draws_fits(learner, asked),
    )
    data, may = lesson.data, lesson.granted
    method, config = (learner.method, config) if may.method == asked else (may.method, {})
    others = other_answers(learner=learner, ids=ids, take=embeddings.take, parts=data.parts)
    head = fit_questions(method, [data, *(other.data for other in others)], config, learner.seed)[0]
    head = replace(head, note=" ".join(note for note in (head.note, may.note) if note))
    draft = version_draft(
        learner=learner,
        snapshot=snapshot,
        head=head,
        config=config,
        holdout_items=ids[snapshot.holdout.rows],
        holdout_embeddings=embeddings.take(snapshot.holdout.rows),
        unlabelled=ids[lesson.unlabelled],
        rules=weak.record if weak else None,
        draws=draws_measure(
            learner=learner, method=method, data=data, items=ids[snapshot.pool.rows], config=config
        ),
        others=[other.snapshot for other in others],
    )

    work_owned(run, stage="ranking the pool")
    # Members learn from people's labels only: rules alone have nothing to disagree on.
    asks_committee = "committee" in STRATEGIES[learner.strategy].needs and snapshot.trainable
    committee = fit_committee(METHODS[method], data, {}, rng) if asks_committee else []
    model = Model(head, committee, snapshot.classes, draft.temperature)
    ranking = pool_rank(run=run, known=known, model=model, rng=rng, ask_for_help=ask_for_help)
    labelled = np.concatenate([snapshot.pool.rows, snapshot.holdout.rows])
    probes = embeddings.take(probes_of(len(ids), labelled))
    outlook = outlook_of(learner=learner, draft=draft, head=head, probes=probes, left=ranking.candidates)
    _publish(run, (draft, outlook), ranking, through, snapshot.digest, started)
    choice_ensure(learner=learner, known=read)
    if weak is not None:
        check_keep(learner=learner, weak=weak, classes=snapshot.classes)
    return True


def _publish(
    run: TrainingRun,
    made: tuple[VersionDraft, Outlook] | None,
    ranking: Ranking,
    through: int,
    snapshot: str,
    started: float,
) -> None:
    """Everything becomes visible at once, or, if the run was taken over, nothing. Raises WorkLost then."""
    selection, project = ranking.selection, run.project
    with transaction.atomic():
        run_done(run=run, through=through, snapshot=snapshot)
        search_end(run=run)
        # One publisher a project at a time; annotations, which only point at the project, are not held up.
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        version = version_publish(run=run, draft=made[0]) if made else None
        if made:
            Learner.objects.filter(pk=run.learner_id).update(outlook=made[1])
        proof = _only_proof(project)
        reason = (f"{ONLY_PROOF} " if proof else "") + selection.reason
        last = Round.objects.filter(project=project).order_by("-number").values_list("number", flat=True)
        number = (last.first() or 0) + 1
        queue_swap(
            project=project,
            entries=queue_of_lanes(learner=run.learner, ranked=ranking.entries),
            round_number=number,
            strategy=selection.strategy,
            reason=reason[:300],
            model_digest=version.digest if version else "",
            through_annotation=through,
            blind_share=PROOF_SHARE if proof else 0.0,
        )
        Round.objects.create(
            project=project,
            number=number,
            run=run,
            model_version=version,
            strategy=selection.strategy,
            requested=selection.requested,
            reason=reason[:300],
            seed=run.seed,
            candidates=ranking.candidates,
            ranked=len(ranking.entries),
            head=[{"item": entry.item_id, "score": entry.score} for entry in ranking.entries[:ROUND_HEAD]],
            seconds=time.monotonic() - started,
        )


def _only_proof(project: Project) -> bool:
    """Whether blind labels are all that the project's learners still wait for."""
    outlooks = Learner.objects.filter(project=project, enabled=True).values_list("outlook", flat=True)
    waiting = [one for one in outlooks if one.get("state") != StopState.STOP]
    return bool(waiting) and all(one.get("only_proof") for one in waiting)
