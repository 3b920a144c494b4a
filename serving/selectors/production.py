"""Which images of live traffic are worth asking about."""

from datetime import datetime

from django.db.models import F, FloatField, Func, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from labelling.models import Project, Wanted
from serving.models import UNANSWERED, Arm, Deployment, Prediction

# So many are looked at in one go; more come with the next look.
_MOST = 1_000


def drawn_since(deployment: Deployment, since: datetime, *, even: bool) -> dict[str, float]:
    """The images that were drawn, evenly or otherwise, with the chance of each."""
    drawn = _answers(deployment, since).filter(audited=even, inclusion__isnull=False)
    rows = drawn.order_by("created_at").values_list("digest", "inclusion")
    return {digest: chance for digest, chance in rows if chance is not None}


def disagreed_since(deployment: Deployment, since: datetime) -> list[str]:
    """The images that a challenger took for something else than the champion: those it saw in the shadow,
    those it answered where what the champion makes of them is known too, and those both were asked for one
    list. What the champion answered alone no challenger saw, and to ask it would cost each client its time.
    """
    return list(dict.fromkeys([*_in_shadow(deployment, since), *_in_answers(deployment, since)]))[:_MOST]


def _in_answers(deployment: Deployment, since: datetime) -> list[str]:
    answered = _answers(deployment, since).filter(
        Q(arm=Arm.CHALLENGER, trace__guess__isnull=False) | Q(arm="merged"), status=Prediction.Status.OK
    )
    # A list that begins with what both would say first begins with nobody's pick.
    vote = Func(
        F("trace"),
        F("top"),
        arg_joiner=" -> 'votes' ->> (",
        template="(%(expressions)s -> 0 ->> 'label'))",
        output_field=TextField(),
    )
    alike = Q(arm=Arm.CHALLENGER, guess=KT("trace__guess")) | Q(arm="merged", vote="")
    other = answered.annotate(guess=KT("top__0__label"), vote=vote).exclude(alike)
    return list(other.values_list("digest", flat=True)[:_MOST])


def _in_shadow(deployment: Deployment, since: datetime) -> list[str]:
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
