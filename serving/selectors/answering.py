"""What should answer now, as every web process asks a few times a second."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Count

from serving.models import Arm, Deployment, Rollout, TrafficPolicy


@dataclass(frozen=True)
class RolloutPlan:
    """A running rollout, as it deals the traffic now."""

    id: int
    phase: int
    mode: str
    config: Mapping[str, object]
    salt: str
    audit_share: float
    progress: Mapping[str, object]
    arms: tuple[tuple[str, int], ...]  # name and model version


@dataclass(frozen=True)
class Wanted:
    question_id: int
    key: str  # the question's
    version_id: int
    several: bool  # its project asks other questions too
    keep_images: bool  # its project keeps those that are worth asking about
    rollout: RolloutPlan | None


def answering_now() -> dict[int, list[Wanted]]:
    """Per project what should answer each of its questions, in the order of asking.

    The projects come in the order of their last change, the newest first.
    """
    answering = Deployment.objects.exclude(champion=None)
    newest = list(answering.order_by("-updated_at").values_list("project_id", flat=True))
    plans = _plans()
    keeping = set(TrafficPolicy.objects.filter(keep_images=True).values_list("project_id", flat=True))
    counted = answering.annotate(asked=Count("project__questions"))
    rows = counted.order_by("question__position", "question_id").values_list(
        "project_id", "question_id", "question__key", "champion_id", "asked"
    )
    found: dict[int, list[Wanted]] = {project_id: [] for project_id in newest}
    for project_id, question_id, key, version_id, asked in rows:
        # One that has got its first champion between the two queries waits for the next look.
        if version_id is not None and project_id in found:
            plan = plans.get(question_id)
            # A promotion between the queries has ended the rollout.
            stands = plan is not None and (Arm.CHAMPION, version_id) in plan.arms
            keeps = project_id in keeping
            wanted = Wanted(question_id, key, version_id, asked > 1, keeps, plan if stands else None)
            found[project_id].append(wanted)
    return found


def _plans() -> dict[int, RolloutPlan]:
    """The running rollouts by their question."""
    running = list(Rollout.objects.filter(state=Rollout.State.RUNNING))
    arms: dict[int, list[tuple[str, int]]] = defaultdict(list)
    if running:
        rows = Arm.objects.filter(rollout__in=running).order_by("rollout_id", "position")
        for rollout_id, name, version_id in rows.values_list("rollout_id", "name", "model_version_id"):
            arms[rollout_id].append((name, version_id))
    return {
        one.question_id: RolloutPlan(
            one.pk,
            one.phase,
            one.mode,
            one.config,
            one.salt,
            one.audit_share,
            one.progress,
            tuple(arms[one.pk]),
        )
        for one in running
    }
