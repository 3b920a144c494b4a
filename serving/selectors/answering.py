"""What should answer now, as every web process asks a few times a second."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection

from serving.models import Arm, Deployment, Rollout

# One statement, so one moment: no promotion comes between the champion and its rollout. It is asked so often
# that the database makes the text and Python reads it only when it is another than the last.
_ANSWERING = """
select coalesce(json_agg(answering order by newest desc, project_id, position, question_id), '[]')::text
from (
    select deployment.project_id, deployment.question_id, question.position,
        max(deployment.updated_at) over (partition by deployment.project_id) newest,
        json_build_object(
            'project', deployment.project_id,
            'question', deployment.question_id,
            'key', question.key,
            'version', deployment.champion_id,
            'several', (select count(*) > 1 from labelling_question other
                        where other.project_id = deployment.project_id),
            'keep_images', coalesce(policy.keep_images, false),
            'rollout', (
                select json_build_object('id', rollout.id, 'phase', phase, 'mode', mode, 'config', config,
                    'salt', salt, 'audit_share', audit_share, 'progress', progress,
                    'arms', (select json_agg(json_build_array(name, model_version_id) order by position)
                             from serving_arm where rollout_id = rollout.id))
                from serving_rollout rollout
                join serving_arm champion on champion.rollout_id = rollout.id and champion.name = %(champion)s
                where rollout.question_id = deployment.question_id and rollout.state = %(running)s
                    and champion.model_version_id = deployment.champion_id)
        ) answering
    from serving_deployment deployment
    join labelling_question question on question.id = deployment.question_id
    left join serving_trafficpolicy policy on policy.project_id = deployment.project_id
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


@dataclass(frozen=True)
class Wanted:
    question_id: int
    key: str  # the question's
    version_id: int
    several: bool  # its project asks other questions too
    keep_images: bool  # its project keeps those that are worth asking about
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
        plan = RolloutPlan(**{**rollout, "arms": tuple(map(tuple, rollout["arms"]))}) if rollout else None
        wanted = Wanted(one["question"], one["key"], one["version"], one["several"], one["keep_images"], plan)
        found.setdefault(one["project"], []).append(wanted)
    return found


def champions_answering() -> list[tuple[str, str, int]]:
    """Project, question and number of every champion."""
    champions = Deployment.objects.exclude(champion=None)
    return list(champions.values_list("project__slug", "question__key", "champion__number"))
