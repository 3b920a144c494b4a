"""What should answer now, as every web process asks a few times a second."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection

from serving.models import Arm, Deployment, Rollout

# One statement, so one moment: no promotion comes between the champion and its rollout. It is asked so often
# that the database makes the text and Python reads it only when it is another than the last.
_ANSWERING = """
with quantised as not materialized (
    select export.version_id, made.digest, made.name from learning_quantisedexport export
    join learning_quantisedbackbone made on made.id = export.made_id
    where export.used
)
select coalesce(json_agg(answering order by newest desc, project_id, position, question_id), '[]')::text
from (
    select deployment.project_id, deployment.question_id, question.position,
        max(deployment.updated_at) over (partition by deployment.project_id) newest,
        json_build_object(
            'project', deployment.project_id,
            'question', deployment.question_id,
            'key', question.key,
            'version', deployment.champion_id,
            'int8', (select digest from quantised where version_id = deployment.champion_id),
            'several', (select count(*) > 1 from labelling_question other
                        where other.project_id = deployment.project_id),
            'keep_images', coalesce(policy.keep_images, false),
            'audit_share', coalesce(policy.audit_share, 0),
            'reference', coalesce(reference.digest, ''),
            'reference_int8', coalesce((
                select seen_int8.digest from quantised join serving_driftreference seen_int8
                    on seen_int8.project_id = deployment.project_id and seen_int8.backbone = quantised.name
                where version_id = deployment.champion_id), ''),
            'drifted', coalesce((
                select seen.drifted from serving_driftwindow seen
                join learning_modelversion looked_at on looked_at.id = seen.model_version_id
                where seen.deployment_id = deployment.id and looked_at.backbone = version.backbone
                order by seen.id desc limit 1), false),
            'rollout', (
                select json_build_object('id', rollout.id, 'phase', phase, 'mode', mode, 'config', config,
                    'salt', salt, 'audit_share', audit_share, 'progress', progress,
                    'arms', (select json_agg(json_build_array(name, model_version_id) order by position)
                             from serving_arm where rollout_id = rollout.id),
                    'int8', (select json_agg(coalesce(quantised.digest, '') order by position)
                             from serving_arm left join quantised on version_id = model_version_id
                             where rollout_id = rollout.id))
                from serving_rollout rollout
                join serving_arm champion on champion.rollout_id = rollout.id and champion.name = %(champion)s
                where rollout.question_id = deployment.question_id and rollout.state = %(running)s
                    and champion.model_version_id = deployment.champion_id)
        ) answering
    from serving_deployment deployment
    join labelling_question question on question.id = deployment.question_id
    join learning_modelversion version on version.id = deployment.champion_id
    left join serving_trafficpolicy policy on policy.project_id = deployment.project_id
    left join serving_driftreference reference
        on reference.project_id = deployment.project_id and reference.backbone = version.backbone
    where deployment.champion_id is not null
) one
"""


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
    # Digest of each arm's int8 backbone; all "" unless all have one: they are compared in the same numbers.
    int8: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    question_id: int
    key: str  # the question's
    version_id: int
    int8: str  # digest of the int8 backbone it answers by; "": float32
    several: bool  # its project asks other questions too
    keep_images: bool  # its project keeps those that are worth asking about
    audit_share: float  # of those, if it does: drawn evenly, outside of a rollout
    reference: str  # digest of what images are compared with, if there is any
    drifted: bool  # what clients send has drifted
    rollout: RolloutPlan | None


def answering_text() -> str:
    """What `answering_of` reads. Two texts are the same when the same should answer."""
    with connection.cursor() as cursor:
        cursor.execute(_ANSWERING, {"running": Rollout.State.RUNNING, "champion": Arm.CHAMPION})
        [text] = cursor.fetchone()
    return str(text)


def answering_of(text: str) -> dict[int, list[Wanted]]:
    """Per project what should answer each of its questions, in the order of asking.

    The projects come in the order of their last change, the newest first.
    """
    found: dict[int, list[Wanted]] = {}
    for one in json.loads(text):
        rollout = one.pop("rollout")
        plan = _plan(rollout) if rollout else None
        int8 = (_champions_int8(plan) if plan else one["int8"]) or ""
        wanted = Wanted(
            question_id=one["question"],
            key=one["key"],
            version_id=one["version"],
            int8=int8,
            several=one["several"],
            keep_images=one["keep_images"],
            audit_share=one["audit_share"],
            reference=one["reference_int8" if int8 else "reference"],
            drifted=one["drifted"],
            rollout=plan,
        )
        found.setdefault(one["project"], []).append(wanted)
    return found


def _plan(rollout: dict[str, Any]) -> RolloutPlan:
    arms, int8 = tuple(map(tuple, rollout["arms"])), tuple(rollout["int8"])
    return RolloutPlan(**{**rollout, "arms": arms, "int8": int8 if all(int8) else ("",) * len(arms)})


def _champions_int8(plan: RolloutPlan) -> str:
    return dict(zip((name for name, _ in plan.arms), plan.int8, strict=True))[Arm.CHAMPION]


def champions_answering() -> list[tuple[str, str, int]]:
    """Project, question and number of every champion."""
    champions = Deployment.objects.exclude(champion=None)
    return list(champions.values_list("project__slug", "question__key", "champion__number"))
