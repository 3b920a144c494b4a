"""What a look at a rollout costs, when it has answered a million images: all that each mode decides by.

In a PostgreSQL of its own, with the real tables and indexes. Nine images in ten are sent once; one in two
hundred has a label by its client's feedback; there are 20,000 units (`--units`). A look is due every second,
and may take a tenth of the time (`serving.services.rollout_rules`); what goes wrong is to be seen at once.
"""

import argparse
import os
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Claim, print_report
from config.embedded import EmbeddedPostgres

LOOKS = 7  # of which the median counts
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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.looks", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--units", type=int, default=20_000)
    parser.add_argument("--only", nargs="*", default=list(DEALT), choices=list(DEALT))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="quern-looks-") as folder:
        postgres = EmbeddedPostgres(Path(folder) / "postgres")
        # Django's settings are read once, and from here on.
        os.environ |= {
            "DATABASE_URL": postgres.start("looks"),
            "QUERN_DATA_DIR": folder,
            "QUERN_SECRET_KEY": "of a benchmark",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        try:
            _measure(options.rows, options.units, options.only)
        finally:
            postgres.stop()


def _measure(rows: int, units: int, modes: list[str]) -> None:
    import django  # noqa: PLC0415  # after the environment

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415  # after the set-up
    from django.db import connection  # noqa: PLC0415  # after the set-up

    call_command("migrate", verbosity=0)
    found, claims = [], []
    for mode in modes:
        began = time.perf_counter()
        rollout = _rollout(mode, rows, units)
        with connection.cursor() as cursor:
            cursor.execute("vacuum analyze serving_prediction")
        made = time.perf_counter() - began
        first, *later = _looks(rollout)
        median = float(np.median(later))
        found.append(
            {"mode": mode, "made in s": f"{made:.0f}", "first s": f"{first:.2f}", "s": f"{median:.3f}"}
        )
        print(found[-1], flush=True)
        claims.append(Claim(f"a look at a {mode} rollout of {rows:,} answers", 1.0, median, "s"))
        with connection.cursor() as cursor:
            cursor.execute("truncate serving_prediction cascade")
    print_report("looks", found, claims)


def _looks(rollout: object) -> list[float]:
    from serving.models import Rollout  # noqa: PLC0415  # after the set-up
    from serving.services.rollout_rules import evidence_gathered  # noqa: PLC0415  # after the set-up

    assert isinstance(rollout, Rollout)
    took = []
    for _ in range(LOOKS + 1):
        began = time.perf_counter()
        evidence_gathered(rollout)
        took.append(time.perf_counter() - began)
    return took


def _rollout(mode: str, rows: int, units: int) -> object:
    from django.db import connection  # noqa: PLC0415  # after the set-up
    from django.utils import timezone  # noqa: PLC0415  # after the set-up

    from learning.models import Learner  # noqa: PLC0415  # after the set-up
    from serving.core.modes import State, mode_named  # noqa: PLC0415  # after the set-up
    from serving.core.records import to_json  # noqa: PLC0415  # after the set-up
    from serving.models import Arm, Rollout  # noqa: PLC0415  # after the set-up
    from tests.factories import project as made_project  # noqa: PLC0415  # after the set-up
    from tests.serving.trained import bare_version  # noqa: PLC0415  # after the set-up

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


if __name__ == "__main__":
    main()
