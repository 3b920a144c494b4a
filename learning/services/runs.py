"""Training runs: made when a learner has something new to learn, and ended. `work` has what lies between."""

import hashlib

from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from labelling.models import Annotation, Consensus, Item, Project
from labelling.selectors import latest_annotation_id
from learning.models import EmbeddingShard, Learner, ModelVersion, TrainingRun
from learning.services.work import work_owned, works_take_over

LIVE = (TrainingRun.State.QUEUED, TrainingRun.State.RUNNING)


def run_seed(*, learner: Learner, number: int) -> int:
    """The seed of a learner's n-th run: the same learner seed replays the same runs."""
    return int.from_bytes(hashlib.sha256(f"{learner.seed}/{number}".encode()).digest()[:4]) >> 1


def runs_create_due() -> None:
    """A run for each learner that has something new to learn or was asked for a new ranking."""
    newest = Annotation.objects.filter(project=OuterRef("project")).order_by("-id").values("id")[:1]
    live = TrainingRun.objects.filter(learner=OuterRef("pk"), state__in=LIVE)
    embedded = EmbeddingShard.objects.filter(
        project=OuterRef("project"), backbone=OuterRef("backbone")
    ).exclude(path="")
    due = (
        Learner.objects.filter(enabled=True)
        .annotate(newest=Coalesce(Subquery(newest), 0, output_field=BigIntegerField()))
        .filter(Q(newest__gt=F("trained_through")) | Q(requested_at__isnull=False))
        .filter(Exists(embedded), ~Exists(live))
    )
    for learner in due:
        if not (_enough_labels(learner) and _something_to_learn(learner) and not _just_failed(learner)):
            continue
        if _embedding_still_changes(learner):
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


def _something_to_learn(learner: Learner) -> bool:
    """Before the first model, wait for labels of two classes; afterwards the run itself sees to it.

    Images that have just been embedded, or a manager, ask for a ranking, which needs no model.
    """
    if learner.requested_at is not None or ModelVersion.objects.filter(learner=learner).exists():
        return True
    labels = Consensus.objects.filter(question=learner.question_id, item__split=Item.Split.POOL)
    return len(labels.values_list("label", flat=True).distinct()[:2]) == 2


def _embedding_still_changes(learner: Learner) -> bool:
    """A learner that has just got another backbone keeps its model until all its items are embedded by it."""
    last = learner.model_versions.order_by("-number").values_list("backbone", flat=True).first()
    if last in (None, learner.backbone):
        return False
    shards = EmbeddingShard.objects.filter(project=learner.project_id, backbone=learner.backbone)
    covered = shards.order_by("-number").values_list("last_item", flat=True).first() or 0
    newest = Item.objects.filter(project=learner.project_id).order_by("-id").values_list("id", flat=True)
    return covered < (newest.first() or 0) or shards.filter(path="").exists()


def _just_failed(learner: Learner) -> bool:
    """A run that failed is tried again with newer labels or on request, not in a circle."""
    last = learner.runs.order_by("-id").first()
    if last is None or last.state != TrainingRun.State.FAILED:
        return False
    newer = latest_annotation_id(learner.project) > last.through_annotation
    asked = learner.requested_at is not None and learner.requested_at > (last.finished_at or last.created_at)
    return not newer and not asked


def runs_take_over() -> None:
    works_take_over(TrainingRun, afterwards="Training is tried again with the next label.")


def trainings_end(*, project: Project) -> int:
    """End the project's trainings for a person; how many there were.

    A worker stops at its next report, and publishes nothing. Newer labels, or a request, begin the next one.
    """
    live = TrainingRun.objects.filter(project=project, state__in=LIVE)
    return live.update(
        state=TrainingRun.State.FAILED,
        stage="",
        error=TrainingRun.ENDED,
        finished_at=timezone.now(),
    )


def run_done(*, run: TrainingRun, through: int, snapshot: str) -> None:
    """End a run that this worker owns; call it in the transaction that publishes, first. Raises WorkLost."""
    work_owned(
        run,
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
