"""The one place where the model that answers a question changes, under a lock that all who do it take."""

from django.utils import timezone

from labelling.models import Question
from learning.models import ModelVersion
from serving.models import Deployment, Rollout


def deployment_locked(question: Question) -> Deployment:
    """The question's deployment, made if there is none. Call inside a transaction, before any other lock."""
    Deployment.objects.get_or_create(question=question, defaults={"project_id": question.project_id})
    return Deployment.objects.select_for_update(of=("self",)).get(question=question)


def rollout_locked(rollout_id: int) -> Rollout:
    """The rollout as it is now. Call it holding its question's deployment."""
    return Rollout.objects.select_for_update(of=("self",)).get(pk=rollout_id)


def champion_set(deployment: Deployment, version: ModelVersion) -> None:
    """The version answers from now on. The automatic rule looks at newer ones only."""
    deployment.champion = version
    champion_pass_over(deployment, version)


def champion_pass_over(deployment: Deployment, version: ModelVersion) -> None:
    """The automatic rule is done with the version, and with what came before it."""
    deployment.considered = max(deployment.considered, version.number)
    deployment.save(update_fields=["champion", "automatic", "considered", "updated_at"])


def rollout_turn(rollout: Rollout, state: str, words: str) -> None:
    """Give the locked rollout another state, and say why."""
    rollout.state = state
    rollout.waits_for = words[:300]
    rollout.due_at = timezone.now() if state == Rollout.State.RUNNING else None
    if rollout.over:
        rollout.ended_at = timezone.now()
    rollout.save()
