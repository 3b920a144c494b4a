"""What each arm answered its units, labelled or not: how many they are, its failures, and its times.

A unit's answers are averaged first, as they are not independent. Averages do not add up over time as counts
do, so a unit's counts until a moment are kept in a table (`serving.services.unit_counts` writes it), to which
a look adds what came since. Where answers before that moment have come late or were forgotten, all are
counted: what comes out is what a count of everything would say.
"""

from datetime import datetime
from typing import Any

from django.db import connection

from serving.models import Rollout, UnitsCounted
from serving.selectors.evidence.tally import FRESH, rows_before

ANSWERS = """
select arm, unit, count(*) as answers, count(*) filter (where status = 'failed') as failed,
    count(*) filter (where status = 'ok') as timed,
    coalesce(sum(infer_ms) filter (where status = 'ok'), 0) as ms
from serving_prediction where project_id = %(project)s and FRESH group by arm, unit
""".replace("FRESH", FRESH)
_MOMENTS = """
with fresh as (ANSWERS),
kept as (
    select arm, unit, answers, failed, timed, ms from serving_unitcounts
    where rollout_id = %(rollout)s and %(since)s::timestamptz is not null
),
units as (
    select arm, (coalesce(fresh.failed, 0) + coalesce(kept.failed, 0))::float8
            / (coalesce(fresh.answers, 0) + coalesce(kept.answers, 0)) as errors,
        (coalesce(fresh.ms, 0) + coalesce(kept.ms, 0))
            / nullif(coalesce(fresh.timed, 0) + coalesce(kept.timed, 0), 0) as latency
    from fresh full join kept using (arm, unit)
)
select arm, count(*) as units, sum(errors) as errors, sum(errors ^ 2) as errors2, count(latency) as timed,
    sum(latency) as latency, sum(latency ^ 2) as latency2,
    (select until from serving_unitscounted where rollout_id = %(rollout)s) as until
from units group by arm
""".replace("ANSWERS", ANSWERS)


def units_of(rollout: Rollout) -> dict[str, dict[str, Any]]:
    """By arm: "units", how many; Moments, as JSON, of its units' "errors", a share, and "latency", in ms."""
    while True:
        until = counted_until(rollout)
        told = {"since": until, "until": None, "phase": None}
        with connection.cursor() as cursor:
            cursor.execute(_MOMENTS, {"rollout": rollout.pk, "project": rollout.project_id, **told})
            rows = cursor.fetchall()
        # What is kept may have become more since we asked until when it is.
        if until is None or all(row[-1] == until for row in rows):
            return {
                arm: {
                    "units": units,
                    "errors": _moments(units, errors, errors2),
                    "latency": _moments(timed, latency, latency2),
                }
                for arm, units, errors, errors2, timed, latency, latency2, _ in rows
            }


def counted_until(rollout: Rollout) -> datetime | None:
    """None where nothing is kept, or what is kept is not all of it any more."""
    found = UnitsCounted.objects.filter(rollout=rollout).first()
    if found is None or found.until is None:
        return None
    rows, _ = rows_before({"rollout": rollout.pk, "phase": None}, found.until)
    return found.until if rows == found.rows else None


def _moments(n: int, y: float | None, yy: float | None) -> dict[str, Any]:
    """Of no champion's confidence: it says nothing of errors and times."""
    return {"n": n, "y": y or 0.0, "yy": yy or 0.0, "x": 0.0, "xx": 0.0, "xy": 0.0}
