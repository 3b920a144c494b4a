"""A training run's life: created when due, sent, claimed by one worker, taken over when its heart stops.

Every step is one conditional update, so any number of ticks and workers may try it at once. `attempt` says
who owns a running run: an owner that was taken over can neither report nor publish.
"""

import hashlib
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import DatabaseError, connection
from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from labelling.models import Annotation, Consensus, Item
from labelling.selectors import latest_annotation_id
from learning.models import EmbeddingShard, Learner, ModelVersion, TrainingRun

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 2.0
STALE = timedelta(seconds=10)
# A message may get lost: it is valid this long, then another one is sent.
RESEND = timedelta(seconds=5)
ATTEMPTS = 3


class RunLost(Exception):
    """This worker no longer owns the run: it was taken over, or its project was deleted."""


def run_seed(*, learner: Learner, number: int) -> int:
    """The seed of a learner's n-th run: the same learner seed replays the same runs."""
    return int.from_bytes(hashlib.sha256(f"{learner.seed}/{number}".encode()).digest()[:4]) >> 1


def runs_create_due() -> None:
    """A run for each learner that has something new to learn or was asked for a new ranking."""
    newest = Annotation.objects.filter(project=OuterRef("project")).order_by("-id").values("id")[:1]
    live = TrainingRun.objects.filter(learner=OuterRef("pk"), state__in=["queued", "running"])
    embedded = EmbeddingShard.objects.filter(
        project=OuterRef("project"), backbone=OuterRef("backbone")
    ).exclude(path="")
    due = (
        Learner.objects.filter(enabled=True)
        .annotate(newest=Coalesce(Subquery(newest), 0, output_field=BigIntegerField()))
        .filter(Q(newest__gt=F("trained_through")) | Q(requested_at__isnull=False, newest__gt=0))
        .filter(Exists(embedded), ~Exists(live))
    )
    for learner in due:
        if not (_enough_labels(learner) and _two_classes(learner) and not _just_failed(learner)):
            continue
        run = TrainingRun(
            project_id=learner.project_id,
            learner=learner,
            seed=run_seed(learner=learner, number=learner.runs.count() + 1),
            through_annotation=learner.newest,
        )
        # At most one live run a learner: the unique constraint keeps out a tick at the same moment.
        TrainingRun.objects.bulk_create([run], ignore_conflicts=True)


def _enough_labels(learner: Learner) -> bool:
    if learner.requested_at is not None:
        return True
    wanted = learner.retrain_after
    new = Annotation.objects.filter(project=learner.project_id, id__gt=learner.trained_through)[:wanted]
    return len(new.values_list("id", flat=True)) == wanted


def _two_classes(learner: Learner) -> bool:
    """Before the first model, wait for labels of two classes; afterwards the run itself sees to it."""
    if ModelVersion.objects.filter(learner=learner).exists():
        return True
    labels = Consensus.objects.filter(question=learner.question_id, item__split=Item.Split.POOL)
    return len(labels.values_list("label", flat=True).distinct()[:2]) == 2


def _just_failed(learner: Learner) -> bool:
    """A run that failed is tried again with newer labels or on request, not in a circle."""
    last = learner.runs.order_by("-id").first()
    if last is None or last.state != TrainingRun.State.FAILED:
        return False
    newer = latest_annotation_id(learner.project) > last.through_annotation
    asked = learner.requested_at is not None and learner.requested_at > (last.finished_at or last.created_at)
    return not newer and not asked


def runs_take_over() -> None:
    """Give the runs of workers that are gone to others, or up after the last attempt."""
    now = timezone.now()
    stale = TrainingRun.objects.filter(state=TrainingRun.State.RUNNING, heartbeat_at__lte=now - STALE)
    stale.filter(attempt__lt=ATTEMPTS).update(
        state=TrainingRun.State.QUEUED, stage="waiting to be taken over by another worker", enqueued_at=None
    )
    stale.filter(attempt__gte=ATTEMPTS).update(
        state=TrainingRun.State.FAILED,
        stage="",
        finished_at=now,
        error=f"The worker died in each of {ATTEMPTS} attempts; see its log. "
        "Training is tried again with the next label.",
    )


def runs_to_send() -> list[int]:
    """The runs a worker must be asked for now; each is given out once in RESEND, to one caller."""
    now = timezone.now()
    waiting = Q(enqueued_at__isnull=True) | Q(enqueued_at__lte=now - RESEND)
    queued = TrainingRun.objects.filter(waiting, state=TrainingRun.State.QUEUED)
    sent = []
    for pk, enqueued_at in queued.values_list("pk", "enqueued_at"):
        sent += [pk] * TrainingRun.objects.filter(
            pk=pk, state=TrainingRun.State.QUEUED, enqueued_at=enqueued_at
        ).update(enqueued_at=now)
    return sent


def run_claim(*, run_id: int) -> TrainingRun | None:
    """The run, for the one worker that gets it; None if it is done, gone or another worker's."""
    now = timezone.now()
    claimed = TrainingRun.objects.filter(pk=run_id, state=TrainingRun.State.QUEUED).update(
        state=TrainingRun.State.RUNNING,
        attempt=F("attempt") + 1,
        stage="reading the labels",
        started_at=now,
        heartbeat_at=now,
    )
    if not claimed:
        return None
    return TrainingRun.objects.select_related("learner__question", "project__queue").filter(pk=run_id).first()


def run_owned(*, run: TrainingRun, **changes: object) -> None:
    """Update a run that this worker owns, and say that it lives. Raises RunLost if it no longer owns it."""
    mine = TrainingRun.objects.filter(pk=run.pk, attempt=run.attempt, state=TrainingRun.State.RUNNING)
    if not mine.update(**{"heartbeat_at": timezone.now(), **changes}):
        raise RunLost(f"Training run {run.pk}, attempt {run.attempt}, was taken over or deleted.")


def run_fail(*, run: TrainingRun, error: str) -> None:
    """End a run that this worker owns with a sentence for its people; the last good model keeps serving."""
    run_owned(
        run=run, state=TrainingRun.State.FAILED, stage="", error=error[:500], finished_at=timezone.now()
    )


def run_retry(*, run: TrainingRun) -> None:
    """Give a run that this worker owns back, to be tried again in a few seconds."""
    run_owned(
        run=run,
        state=TrainingRun.State.QUEUED,
        stage="waiting to be tried again",
        enqueued_at=timezone.now(),
    )


@contextmanager
def run_heartbeat(*, run: TrainingRun) -> Iterator[None]:
    """While the block runs, a thread says every two seconds that this worker lives."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(HEARTBEAT_SECONDS):
            try:
                run_owned(run=run)
            except RunLost:
                # The main thread learns of it when it next reports.
                break
            except DatabaseError as error:
                logger.warning("The heartbeat of training run %s failed: %s", run.pk, error)
            finally:
                connection.close()

    thread = threading.Thread(target=beat, name=f"heartbeat of run {run.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def run_done(*, run: TrainingRun, through: int, snapshot: str) -> None:
    """End a run that this worker owns; call it in the transaction that publishes, first. Raises RunLost."""
    run_owned(
        run=run,
        state=TrainingRun.State.DONE,
        stage="",
        snapshot=snapshot,
        through_annotation=through,
        finished_at=timezone.now(),
    )
    learner = Learner.objects.filter(pk=run.learner_id)
    learner.update(trained_through=through)
    # A request that came while it ran stands.
    learner.filter(requested_at=run.learner.requested_at).update(requested_at=None)
