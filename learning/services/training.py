"""The loop, from labels to a reordered queue, top to bottom: what a worker does for one run."""

import logging
import time
from dataclasses import dataclass

import numpy as np
from django.db import DatabaseError, transaction
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from labelling.models import Project
from labelling.selectors import open_pool_ids
from labelling.services.annotations import annotations_through
from labelling.services.queue import RankedItem, queue_swap
from learning.core.methods import METHODS, Head, TrainingData, fit_committee, softmax
from learning.core.pool import Pool
from learning.core.strategies import STRATEGIES, Selection, select
from learning.models import Round, TrainingRun
from learning.services.embeddings import embeddings_load
from learning.services.runs import (
    ATTEMPTS,
    RunLost,
    run_claim,
    run_done,
    run_fail,
    run_heartbeat,
    run_owned,
    run_retry,
)
from learning.services.snapshots import Snapshot, rows_of, snapshot_take
from learning.services.versions import VersionDraft, version_draft, version_publish

logger = logging.getLogger(__name__)

ROUND_HEAD = 100


@dataclass(frozen=True)
class Ranking:
    selection: Selection
    entries: list[RankedItem]
    candidates: int


def run_train(*, run_id: int) -> bool:
    """Train, measure, publish, rank, swap the queue. True when this call published.

    Harmless to call for a run that is done, gone or another worker's. Slow work happens outside transactions;
    all that people see changes in one at the end, and only if this worker still owns the run.
    """
    run = run_claim(run_id=run_id)
    if run is None:
        return False
    try:
        # A head is so small that the threads of the linear algebra cost more than they bring: on a busy
        # machine one fit takes 0.3 s on one thread and up to 9 s on two that wait for each other.
        with run_heartbeat(run=run), threadpool_limits(limits=1):
            return _train(run)
    except RunLost as lost:
        logger.info("%s", lost)
    except Exception as error:
        if not Project.objects.filter(pk=run.project_id).exists():
            logger.info("Training run %s ends: its project was deleted.", run.pk)
            return False
        logger.exception("Training run %s failed.", run.pk)
        _give_up(run, error)
    return False


def _train(run: TrainingRun) -> bool:
    started = time.monotonic()
    learner, project = run.learner, run.project
    # Before the labels are read: a label that comes in between is read, and trained on once more.
    through = annotations_through(project=project)
    ids, embeddings = embeddings_load(project=project, backbone=learner.backbone)  # (N,), (N, D)
    snapshot = snapshot_take(question=learner.question, embedded=ids)
    if not snapshot.trainable:
        # Labels were undone since the run was made: the ranking in force stays.
        with transaction.atomic():
            run_done(run=run, through=through, snapshot=snapshot.digest)
        return False

    count = len(snapshot.pool.labels)
    run_owned(
        run=run, stage=f"training on {count:,} labels", snapshot=snapshot.digest, through_annotation=through
    )
    data = TrainingData(embeddings[snapshot.pool.rows], snapshot.pool.labels, len(snapshot.classes))
    # The learner's seed, not the run's: the same labels give the same model, whichever run trains it.
    head = METHODS[learner.method].fit(data, {}, np.random.default_rng(learner.seed))
    draft = version_draft(
        learner=learner, snapshot=snapshot, head=head, holdout_embeddings=embeddings[snapshot.holdout.rows]
    )

    run_owned(run=run, stage="ranking the pool")
    ranking = _rank(run, snapshot, head, data, draft.temperature, ids, embeddings)
    _publish(run, draft, ranking, through, snapshot.digest, started)
    return True


def _rank(
    run: TrainingRun,
    snapshot: Snapshot,
    head: Head,
    data: TrainingData,
    temperature: float,
    ids: NDArray[np.int64],
    embeddings: NDArray[np.float32],
) -> Ranking:
    """Order what is open in the pool by the learner's strategy, with the model's suggestion for each item."""
    learner = run.learner
    rng = np.random.default_rng(run.seed)
    needs = STRATEGIES[learner.strategy].needs
    rows = rows_of(np.array(open_pool_ids(run.project), np.int64), ids)
    rows = rows[rows >= 0]  # (M,)
    features = embeddings[rows]  # (M, D)
    logits = head.logits(features)  # (M, K)
    # Fitted on the hold-out, the temperature says how sure a suggestion is; no strategy may see it.
    proba = softmax(logits)
    calibrated = softmax(logits / temperature)
    members = fit_committee(METHODS[learner.method], data, {}, rng) if "committee" in needs else []
    pool = Pool(
        size=len(rows),
        proba=proba,
        embeddings=features,
        committee=np.stack([softmax(m.logits(features)) for m in members]) if members else None,
        labelled_embeddings=data.embeddings,
        labelled_labels=data.labels,
    )
    selection = select(learner.strategy, pool, learner.queue_length, rng)
    chosen = selection.query.indices  # (k,)
    best = proba[chosen].argmax(axis=1) if len(chosen) else chosen
    entries = [
        RankedItem(item, score, snapshot.classes[label].pk, confidence)
        for item, score, label, confidence in zip(
            ids[rows[chosen]].tolist(),
            selection.query.scores.tolist(),
            best.tolist(),
            calibrated[chosen, best].tolist(),
            strict=True,
        )
    ]
    return Ranking(selection, entries, len(rows))


def _publish(
    run: TrainingRun, draft: VersionDraft, ranking: Ranking, through: int, snapshot: str, started: float
) -> None:
    """Everything becomes visible at once, or, if the run was taken over, nothing. Raises RunLost then."""
    selection, project = ranking.selection, run.project
    with transaction.atomic():
        run_done(run=run, through=through, snapshot=snapshot)
        # One publisher a project at a time; annotations, which only point at the project, are not held up.
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        version = version_publish(run=run, draft=draft)
        last = Round.objects.filter(project=project).order_by("-number").values_list("number", flat=True)
        number = (last.first() or 0) + 1
        queue_swap(
            project=project,
            entries=ranking.entries,
            round_number=number,
            strategy=selection.strategy,
            reason=selection.reason[:300],
            model_digest=version.digest,
            through_annotation=through,
        )
        Round.objects.create(
            project=project,
            number=number,
            run=run,
            model_version=version,
            strategy=selection.strategy,
            requested=selection.requested,
            reason=selection.reason[:300],
            seed=run.seed,
            candidates=ranking.candidates,
            ranked=len(ranking.entries),
            head=[{"item": entry.item_id, "score": entry.score} for entry in ranking.entries[:ROUND_HEAD]],
            seconds=time.monotonic() - started,
        )


def _give_up(run: TrainingRun, error: Exception) -> None:
    """A passing fault of the storage or the database costs an attempt, anything else the run."""
    try:
        if isinstance(error, OSError | DatabaseError) and run.attempt < ATTEMPTS:
            run_retry(run=run)
        else:
            run_fail(run=run, error=f"Training stopped: {error or type(error).__name__}")
    except RunLost as lost:
        logger.info("%s", lost)
