"""What the pages of rollouts read."""

from typing import Any

import numpy as np
from django.db.models import Exists, OuterRef

from labelling.models import Annotation, Project, Wanted
from learning.models import ModelVersion
from serving.core.modes import Split, State, mode_named
from serving.core.records import from_json, to_json
from serving.models import (
    UNANSWERED,
    Arm,
    Decision,
    Deployment,
    EvidencePoint,
    Offer,
    Prediction,
    Rollout,
    TrafficPolicy,
)

# So many of the champion's newest answers say what is slow, looked for among so many.
_MEASURED, _LEAST, _LOOKED_AT = 2_000, 100, 10_000


def rollouts_of(project: Project) -> list[Rollout]:
    return list(Rollout.objects.filter(project=project).select_related("question", "created_by"))


def traffic_policy(project: Project) -> TrafficPolicy:
    return TrafficPolicy.objects.filter(project=project).first() or TrafficPolicy(project=project)


def challengers_of(deployment: Deployment, limit: int = 50) -> list[ModelVersion]:
    """The versions that may be tried against the champion, the newest first."""
    versions = ModelVersion.objects.filter(learner__question=deployment.question_id)
    champion = deployment.champion_id or 0
    return list(versions.exclude(pk=champion).defer("card")[:limit])


def rollout_decisions(rollout: Rollout) -> list[Decision]:
    return list(rollout.decisions.select_related("actor", "model_version"))


def failures_of(rollout: Rollout, most: int = 1_000) -> int:
    """How many images its challenger failed on, counted up to `most`."""
    failed = Prediction.objects.filter(~UNANSWERED, rollout=rollout, status__in=["failed", "broken"])
    return failed.order_by()[:most].count()


def rollout_points(rollout: Rollout, after: int = 0) -> list[EvidencePoint]:
    return list(EvidencePoint.objects.filter(rollout=rollout, pk__gt=after))


def split_now(rollout: Rollout) -> dict[str, Any]:
    """How requests go now: the share of each arm, and what the challenger sees besides. No shares once it is
    over: whoever answers since need not be an arm of it.
    """
    if rollout.over:
        return to_json(Split({}))
    if rollout.state != Rollout.State.RUNNING or trouble_of(rollout):
        return to_json(Split({Arm.CHAMPION: 1.0}))
    return to_json(_split(rollout))


def trouble_of(rollout: Rollout) -> str:
    """Why a live rollout cannot run, in words: its mode is gone, or reads other settings now."""
    if not rollout.live:
        return ""
    try:
        _split(rollout)
    except ValueError as error:
        return f"It cannot run, so the champion answers everyone. {error}"
    return ""


def _split(rollout: Rollout) -> Split:
    """Raises ValueError with one sentence."""
    mode = mode_named(rollout.mode)
    return mode.split(mode.config_from(rollout.config), from_json(State, rollout.progress))


def lists_told(rollout: Rollout) -> dict[str, int] | None:
    """How many merged lists wait for annotators, and how many were answered; None where none were made."""
    offers = Offer.objects.filter(rollout=rollout)
    if not offers.exists():
        return None
    tokens = offers.values("pk")
    answered = Annotation.objects.filter(shown_list__token__in=tokens, kind=Annotation.Kind.ANSWER)
    wanted = Wanted.objects.filter(kind=Wanted.Kind.LISTED, item__in=offers.values("item"))
    return {
        "waiting": wanted.count(),
        "answered": answered.values("shown_list").distinct().count(),
    }


def champion_slow_ms(champion: ModelVersion | None) -> float | None:
    """99% of the newest answers that it gave alone, to requests of one image, took less; None while there are
    few. A merged list takes the time of two models, and an image of a batch that of the batch.
    """
    if champion is None:
        return None
    answers = Prediction.objects.filter(project=champion.project_id, model_version=champion, status="ok")
    # What is stored of a request is stored with one time, by which it is found.
    beside = Prediction.objects.filter(
        project=champion.project_id,
        created_at=OuterRef("created_at"),
        request_id=OuterRef("request_id"),
        model_version__learner=champion.learner_id,
        shadow_of=None,
    ).exclude(pk=OuterRef("pk"))
    newest = answers.exclude(arm="merged").order_by("-created_at").annotate(batch=Exists(beside))
    seen = newest.values_list("infer_ms", "batch")[:_LOOKED_AT]
    alone = [took for took, batch in seen if not batch][:_MEASURED]
    return float(np.quantile(alone, 0.99)) if len(alone) >= _LEAST else None
