"""What `benchmarks.looks` looks at: a rollout of each mode with its answers, written by statements."""

import time
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from learning.models import Learner
from serving.core.modes import State, mode_named
from serving.core.records import to_json
from serving.models import Arm, Rollout
from serving.services.rollout_rules import evidence_gathered
from tests.factories import project as made_project
from tests.serving.trained import bare_version

LOOKS = 7  # beside the first
# Two labels, of which a guess is either; one answer in 2,000 failed.
ROWS = """
insert into serving_prediction (id, project_id, model_version_id, request_id, digest, precision, arm,
    propensity, status, rollout_id, phase, unit, bucket, audited, shadow_of, trace, top,
    decode_ms, infer_ms, created_at)
select md5('id' || n)::uuid, %(project)s, %(version)s, md5('request' || n)::uuid,
    md5('image' || d) || md5('of' || d), 'float32',
    case when n %% 2 = 0 then %(even)s else %(odd)s end, 0.5,
    case when n %% 2000 = 1 then %(failed)s when n %% 2 = 1 then %(other)s else 'ok' end,
    %(rollout)s, 1, md5('unit' || d %% %(units)s), 0, false,
    case when %(pairs)s and n %% 2 = 1 then md5('id' || (n - 1))::uuid end,
    jsonb_build_object('sure', 0.9, 'guess', 'cat', 'votes',
        '{"cat": "champion", "dog": "challenger"}'::jsonb),
    jsonb_build_array(jsonb_build_object('label', case when (n / 2) %% 7 < 6 then 'cat' else 'dog' end,
        'probability', 0.9), jsonb_build_object('label', 'owl', 'probability', 0.1)),
    1.0, 5 + n %% 10, now() - make_interval(secs => (%(rows)s - n) * 3600.0 / %(rows)s)
from (select n, case when %(pairs)s then n / 2 else n %% (%(rows)s * 9 / 10) end as d
    from generate_series(0, %(rows)s - 1) n) numbers
"""
FEEDBACK = """
insert into serving_feedback (prediction_id, label_id, created_at)
select id, %(label)s, now() from serving_prediction where rollout_id = %(rollout)s and shadow_of is null
    and hashtext(id::text) %% 200 = 0
"""
INDEXES = """
select indexname, indexdef from pg_indexes
where tablename = 'serving_prediction' and indexname not like '%pkey'
"""
CONFIGS = {"ab": {"metrics": ["accuracy", "listed", "errors", "latency"]}}
DEALT = {
    "ab": ("champion", "challenger", "ok", "failed"),
    "bandit": ("champion", "challenger", "ok", "failed"),
    "canary": ("champion", "challenger", "ok", "failed"),
    "interleaving": ("merged", "merged", "ok", "failed"),
    "shadow": ("champion", "challenger", "shadow", "broken"),
}


def looks(rollout: Rollout) -> list[float]:
    """Seconds of each look, the first of which counts all."""
    took = []
    for _ in range(LOOKS + 1):
        began = time.perf_counter()
        evidence_gathered(rollout)
        took.append(time.perf_counter() - began)
    return took


def rollout_made(mode: str, rows: int, units: int) -> Rollout:
    """A running one that has answered so many images to so many units."""
    project = made_project(("cat", "dog"))
    question = project.questions.get()
    Learner.objects.create(project=project, question=question, seed=7)
    champion, challenger = bare_version(project), bare_version(project)
    began = timezone.now() - timedelta(hours=1)
    rollout = Rollout.objects.create(
        project=project,
        question=question,
        mode=mode,
        config=to_json(mode_named(mode).config_from(CONFIGS.get(mode, {}))),
        progress=to_json(State()),
        state="running",
        started_at=began,
        phase_since=began,
        slow_ms=13.0,
    )
    for position, (name, version) in enumerate((("champion", champion), ("challenger", challenger))):
        Arm.objects.create(rollout=rollout, name=name, model_version=version, position=position)
    even, odd, other, failed = DEALT[mode]
    params: dict[str, Any] = {
        "project": project.pk,
        "version": champion.pk,
        "rollout": rollout.pk,
        "rows": rows,
        "units": units,
    }
    params |= {"even": even, "odd": odd, "other": other, "failed": failed, "pairs": mode == "shadow"}
    with connection.cursor() as cursor:
        cursor.execute(INDEXES)
        indexes = cursor.fetchall()
        # A million rows one by one into ten indexes takes minutes, into none seconds.
        cursor.execute("set session_replication_role = replica")
        for name, _ in indexes:
            cursor.execute(f"drop index {name}")
        cursor.execute(ROWS, params)
        for _, made_by in indexes:
            cursor.execute(made_by)
        cursor.execute("set session_replication_role = default")
        label = question.labels.get(name="cat")
        cursor.execute(FEEDBACK, {"label": label.pk, "rollout": rollout.pk})
    return rollout
