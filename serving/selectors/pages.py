"""Reads for the pages."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from labelling.models import Item, Project
from learning.models import ModelVersion
from serving.models import UNANSWERED, ApiKey, Decision, Deployment, Feedback, Prediction

# A page counts no further: it is refreshed every two seconds.
COUNTED = 100_000
FEEDBACK_COUNTED = 5_000


@dataclass(frozen=True)
class Traffic:
    """The last 24 hours. `predictions` stops at COUNTED; the feedback is that on the newest predictions."""

    predictions: int
    feedback: int
    agreed: int

    @property
    def more(self) -> bool:
        return self.predictions >= COUNTED

    @property
    def agreement(self) -> float | None:
        return self.agreed / self.feedback if self.feedback else None


def deployments_of(project: Project) -> list[Deployment]:
    """Of each question that has a model, in the order of asking."""
    return list(Deployment.objects.select_related("champion", "question").filter(project=project))


def deployment_of(project: Project) -> Deployment | None:
    """The first question's, or the first that has a model."""
    return next(iter(deployments_of(project)), None)


def decisions_of(project: Project, limit: int = 50) -> list[Decision]:
    """The switches, the newest first. What a rollout waits for and asks stands on its own page."""
    decisions = Decision.objects.filter(project=project)
    decisions = decisions.exclude(rollout__isnull=False, action__in=["hold", "audit", "create"])
    return list(decisions.select_related("model_version", "previous", "actor")[:limit])


def champion_decision(deployment: Deployment) -> Decision | None:
    """The decision that made the champion what it is."""
    return Decision.objects.filter(
        project=deployment.project_id, model_version=deployment.champion_id, action="promote"
    ).first()


def versions_of(project: Project, limit: int = 50) -> list[ModelVersion]:
    """The newest versions, the newest first."""
    versions = ModelVersion.objects.filter(project=project).select_related("learner__question")
    return list(versions.defer("card")[:limit])


def keys_of(project: Project) -> list[ApiKey]:
    return list(ApiKey.objects.filter(project=project).select_related("created_by"))


def traffic_of(project: Project) -> Traffic:
    since = timezone.now() - timedelta(hours=24)
    recent = Prediction.objects.filter(~UNANSWERED, project=project, created_at__gte=since, shadow_of=None)
    reported = Feedback.objects.filter(
        prediction__project=project, prediction__created_at__gte=since
    ).order_by("-id")[:FEEDBACK_COUNTED]
    # `top` is followed in Python: Django's KT does not reach through a relation.
    pairs = [(top[0]["label"], true) for top, true in reported.values_list("prediction__top", "label__name")]
    return Traffic(
        predictions=recent.order_by()[:COUNTED].count(),
        feedback=len(pairs),
        agreed=sum(said == true for said, true in pairs),
    )


def sample_item(project: Project, at_most: int) -> Item | None:
    """A small image of the project, for an example that works as printed."""
    return Item.objects.filter(project=project, split=Item.Split.POOL, size__lte=at_most).first()
