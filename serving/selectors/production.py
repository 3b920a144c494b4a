"""Which images of live traffic are worth asking about."""

from datetime import datetime

from django.db.models import F, FloatField, OuterRef, QuerySet, Subquery
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from labelling.models import Project, Wanted
from serving.models import UNANSWERED, Deployment, Prediction

# So many are looked at in one go; more come with the next look.
_MOST = 1_000


def drawn_since(deployment: Deployment, since: datetime, *, even: bool) -> dict[str, float]:
    """The images that were drawn, evenly or otherwise, with the chance of each."""
    drawn = _answers(deployment, since).filter(audited=even, inclusion__isnull=False)
    rows = drawn.order_by("created_at").values_list("digest", "inclusion")
    return {digest: chance for digest, chance in rows if chance is not None}


def disagreed_since(deployment: Deployment, since: datetime) -> list[str]:
    """Of the images that a challenger saw in the shadow, those that it took for something else."""
    told = Prediction.objects.filter(pk=OuterRef("shadow_of")).annotate(guess=KT("top__0__label"))
    seen = Prediction.objects.filter(
        project=deployment.project_id,
        created_at__gte=since,
        status=Prediction.Status.SHADOW,
        rollout__question=deployment.question_id,
    ).annotate(guess=KT("top__0__label"), told=Subquery(told.values("guess")[:1]))
    return list(seen.exclude(guess=F("told")).values_list("digest", flat=True)[:_MOST])


def unsure_since(deployment: Deployment, since: datetime, below: float) -> list[str]:
    """Those whose best guess got less than `below`, the least sure first; a rollout draws them instead."""
    sure = Cast(KT("top__0__probability"), FloatField())
    answers = _answers(deployment, since).filter(rollout=None).annotate(sure=sure).filter(sure__lt=below)
    return list(answers.order_by("sure").values_list("digest", flat=True)[:_MOST])


def wanted_of(project: Project) -> list[tuple[str, int]]:
    """Why images are asked besides the ranking, and how many wait."""
    counts: dict[str, int] = {}
    for reason in Wanted.objects.filter(project=project).values_list("reason", flat=True):
        counts[reason] = counts.get(reason, 0) + 1
    return sorted(counts.items())


def _answers(deployment: Deployment, since: datetime) -> QuerySet[Prediction]:
    return Prediction.objects.filter(
        ~UNANSWERED,
        project=deployment.project_id,
        created_at__gte=since,
        shadow_of=None,
        model_version__learner__question=deployment.question_id,
    )
