"""Reads of the learning side: versions, the curve of accuracy, and what is going on, in words."""

from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Case, F, IntegerField, QuerySet, Sum, When
from django.utils import timezone

from labelling.models import Item, Project, Queue
from labelling.selectors import latest_annotation_id
from learning.core.backbones import BACKBONES
from learning.core.methods import METHODS, Method
from learning.core.pretraining import PRETRAININGS
from learning.core.strategies import STRATEGIES
from learning.core.weak.conditions import BUILT_IN
from learning.models import (
    EmbeddingShard,
    Learner,
    MethodChoice,
    ModelVersion,
    PretrainingRun,
    Rule,
    RuleCheck,
    TrainingRun,
    Work,
)
from learning.obstacles import nothing_to_learn, two_classes, unreadable

# A worker beats every few seconds; after this silence people are told.
SILENCE_SECONDS = 10
# Most trainings are over sooner, and a button that comes and goes is none.
LONG_SECONDS = 5
VERSIONS_A_PAGE = 50
FIELDS_SEEN_IN = 200


@dataclass(frozen=True)
class EmbeddingProgress:
    done: int
    total: int  # images planned so far


@dataclass(frozen=True)
class Activity:
    """What learning does now, in a sentence; `progress` while images are embedded; `error` as last seen."""

    words: str
    progress: EmbeddingProgress | None
    error: str
    unreadable: str
    ended: bool  # the error is that a manager ended it
    may_end: bool  # a training takes so long that a manager is offered to end it


@dataclass(frozen=True)
class Asking:
    """What the queue asks and why."""

    title: str
    reason: str
    queue: Queue | None


def learners_of(project: Project) -> list[Learner]:
    """The learners of the project's questions, in their order; none until the first tick has made them."""
    learners = Learner.objects.filter(project=project).select_related("question", "project")
    return list(learners.order_by("question__position", "question_id"))


def learner_of(project: Project, question: str = "") -> Learner | None:
    """The learner of the question with this key, or of the first one; all share one recipe.

    None for a key that no question has, and until the first tick has made the learner.
    """
    return next((one for one in learners_of(project) if question in ("", one.question.key)), None)


def methods_offered(learner: Learner | None = None) -> dict[str, Method]:
    """The methods that a learner can use: without rules, nothing gives soft labels; learning together takes
    two questions.

    The one in use stays.
    """
    # The questions share the recipe: rules of one are enough, and for the others it falls back.
    ruled = learner is not None and Rule.objects.filter(project=learner.project_id, enabled=True).exists()
    several = learner is not None and learner.project.questions.count() > 1
    fitting = {name: one for name, one in METHODS.items() if several or one.together is None}
    used = learner.method if learner else ""
    return {name: one for name, one in fitting.items() if ruled or name == used or "soft" not in one.needs}


def methods_lacking(learner: Learner | None) -> dict[str, str]:
    """Of each method that the learner could use if it had rules, what it lacks, in a sentence."""
    offered = methods_offered(learner)
    return {
        name: f"{one.title} needs rules: write one on the Rules page first."
        for name, one in METHODS.items()
        if "soft" in one.needs and one.together is None and name not in offered
    }


def rules_of(learner: Learner) -> QuerySet[Rule]:
    return Rule.objects.filter(question=learner.question_id).select_related("label")


def rule_check_of(learner: Learner) -> tuple[RuleCheck | None, RuleCheck | None]:
    """The newest check of the saved rules that is done, and the one that is newer, whatever became of it."""
    checks = RuleCheck.objects.filter(learner=learner, draft__isnull=True)
    done = checks.filter(state=Work.State.DONE).first()
    newest = checks.first()
    return done, None if done == newest else newest


def metadata_fields(project: Project) -> list[str]:
    """Fields that a condition can name: those of every image, then the metadata of the first images."""
    pool = Item.objects.filter(project=project, split=Item.Split.POOL).order_by("id")
    metadata = pool.values_list("metadata", flat=True)[:FIELDS_SEEN_IN]
    own = {field: None for one in metadata for field in one if field not in BUILT_IN}
    return [*BUILT_IN, *own]


def backbones_of(project: Project) -> dict[str, str]:
    """Name and title of each backbone that the project can use: the pretrained ones, then its own."""
    own = PretrainingRun.objects.filter(project=project, state=Work.State.DONE).order_by("id")
    found = {one.name: one.title for one in BACKBONES.values()}
    for run in own:
        # Runs of before remember one backbone only.
        made = run.config.get("made") or {run.method: run.backbone}
        for method, name in made.items():
            way = PRETRAININGS.get(method)
            found[name] = f"{way.title if way else method}, learned here ({name})"
        for method, name in run.config.get("pairs", {}).items():
            found[name] = f"ImageNet and {PRETRAININGS[method].title} together ({name})"
    return found


def newest_pretraining(project: Project) -> PretrainingRun | None:
    return PretrainingRun.objects.filter(project=project).first()


def versions_page(project: Project, number: str | None) -> Page[ModelVersion]:
    """A page of the versions, newest first, without their cards, which are large."""
    versions = ModelVersion.objects.filter(project=project).select_related("learner__question")
    versions = versions.order_by("-number").defer("card")
    return Paginator(versions, VERSIONS_A_PAGE).get_page(number)


def newest_version(learner: Learner | None) -> ModelVersion | None:
    """Without its card, which is large."""
    return ModelVersion.objects.filter(learner=learner).order_by("-number").defer("card").first()


def curve(learner: Learner | None, after: int = 0) -> list[dict[str, Any]]:
    """Accuracy, with its interval and what it rests on, of each version above number `after`, oldest first.

    Fractions; null for a version that nothing measured.
    """
    points = (
        ModelVersion.objects.filter(learner=learner, number__gt=after)
        .order_by("number")
        .values_list(
            "labels",
            "holdout_labels",
            "metrics__accuracy",
            "metrics__accuracy_low",
            "metrics__accuracy_high",
            "number",
            "created_at",
            "metrics__n",
            "metrics__basis",
        )
    )
    names = ("labels", "holdout_labels", "accuracy", "low", "high", "number", "at")
    return [
        {
            **dict(zip(names, point, strict=True)),
            "measured_on": measured_on({"n": n, "basis": basis}),
        }
        for *point, n, basis in points
    ]


def measured_on(metrics: dict[str, Any]) -> str:
    """What a version's accuracy rests on, to follow "measured on" or "by"."""
    n = metrics.get("n") or 0
    kind = "random draw" if metrics.get("basis") == ModelVersion.DRAWS else "hold-out label"
    return f"{n:,} {kind}{'' if n == 1 else 's'}"


def asking(project: Project) -> Asking:
    queue = Queue.objects.filter(project=project).first()
    if queue is None or queue.round_number is None:
        return Asking("Random order", "There is no model yet, so images are asked in a random order.", queue)
    found = STRATEGIES.get(queue.strategy)
    return Asking(found.title if found else queue.strategy, queue.reason, queue)


def embedding_progress(learner: Learner) -> EmbeddingProgress:
    # An embedded shard says in one number what an open one keeps as an array.
    sums = EmbeddingShard.objects.filter(project=learner.project_id, backbone=learner.backbone).aggregate(
        done=Sum("progress"),
        total=Sum(
            Case(When(path="", then=F("item_ids__len")), default=F("progress"), output_field=IntegerField())
        ),
    )
    return EmbeddingProgress(sums["done"] or 0, sums["total"] or 0)


def activity(project: Project, learner: Learner | None) -> Activity:
    """What learning does now. A few indexed queries: the panel asks every two seconds."""
    if learner is None:
        return Activity("The learner is about to be set up.", None, "", "", ended=False, may_end=False)
    progress = embedding_progress(learner)
    open_progress = progress if progress.done < progress.total else None
    last = learner.runs.order_by("-id").first()
    return Activity(
        words=_words(project, learner, progress, last),
        progress=open_progress,
        error=_error(learner, last),
        unreadable=unreadable(learner),
        ended=last is not None and last.error == TrainingRun.ENDED,
        may_end=last is not None
        and last.state in (TrainingRun.State.QUEUED, TrainingRun.State.RUNNING)
        and (timezone.now() - last.created_at).total_seconds() > LONG_SECONDS,
    )


def _words(project: Project, learner: Learner, progress: EmbeddingProgress, last: TrainingRun | None) -> str:
    if not learner.enabled:
        return "Learning is switched off: labels are kept, the queue keeps its ranking."
    if last is not None and last.state == TrainingRun.State.RUNNING:
        since = (timezone.now() - (last.started_at or last.created_at)).total_seconds()
        again = f", attempt {last.attempt}" if last.attempt > 1 else ""
        return f"{last.stage.capitalize() or 'Training'}, for {since:.0f} s now{again}."
    if last is not None and last.state == TrainingRun.State.QUEUED:
        since = (timezone.now() - last.created_at).total_seconds()
        if last.stage:
            return f"A training is {last.stage}."
        return f"A training has been waiting for a worker for {since:.0f} s."
    if progress.done < progress.total:
        return f"Embedding {progress.done:,} of {progress.total:,} images."
    if progress.total == 0:
        if not Item.objects.filter(project=project).exists():
            return "Waiting for images: import some."
        return "New images are about to be embedded."
    newest = latest_annotation_id(project)
    missing = newest > learner.trained_through
    if not two_classes(learner) and (words := nothing_to_learn(project, learner)):
        return words
    over = last is not None and last.state == TrainingRun.State.FAILED and newest <= last.through_annotation
    if missing and over:
        return "The next training starts with the next label."
    if missing and learner.retrain_after > 1:
        return f"The next training starts once {learner.retrain_after:,} new labels have come."
    if missing:
        return "New labels have come; training is about to start."
    if not Item.objects.filter(project=project, split=Item.Split.POOL, open=True).exists():
        return "Up to date: every image that is not held out is answered. Import more to go on."
    return "Up to date: the model knows all labels."


def _error(learner: Learner, last: TrainingRun | None) -> str:
    if last is not None and last.state == TrainingRun.State.FAILED:
        return last.error
    failing = EmbeddingShard.objects.filter(
        project=learner.project_id, backbone=learner.backbone, path=""
    ).exclude(error="")
    compared = MethodChoice.objects.filter(learner=learner, state=Work.State.FAILED)
    errors = [*failing.values_list("error", flat=True)[:1], *compared.values_list("error", flat=True)]
    return errors[0] if errors else ""


def worker_words(seen: dict[str, float]) -> str:
    """A sentence if a worker that learning needs is silent, else ""; `seen` has the seconds of silence."""
    for name, work in (("learning", "training"), ("embedding", "embedding new images")):
        silent = seen.get(name)
        if silent is None:
            return (
                f"No {name} worker has been heard from yet. Labels are safe; {work} starts when one is there "
                "(manage.py up starts it)."
            )
        if silent > SILENCE_SECONDS:
            return (
                f"The {name} worker has not been heard from for {silent:.0f} s. Labels are safe; {work} goes "
                "on when it is back (manage.py up restarts it)."
            )
    return ""
