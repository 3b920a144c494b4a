from typing import Any

from django.db import connection

from serving.core.modes.failures import RULES
from serving.models import Arm, Rollout
from serving.selectors.evidence.failures import failures_of
from serving.selectors.evidence.weighted import weighted_by_arm
from serving.selectors.truth import served

# Of all answers, by one pass: whether a unit is new would be as dear to ask for each.
_UNITS = """
select arm, count(*) from (
    select distinct arm, unit from serving_prediction where rollout_id = %s) units
group by arm
"""
# A unit's labels are averaged first: they are not independent. x, the champion's confidence, may only be used
# where it is known of every answer: else its gaps would tell the arms apart.
_MOMENTS = """,
judged as (
    select arm, unit, VALUE as y, COVARIATE as x from served where WHERE
),
units as (
    select arm, avg(y)::float8 as y, avg(x)::float8 as x, bool_and(x is not null) as known
    from judged group by arm, unit
),
used as (select arm, y, case when (select bool_and(known) from units) then x else 0 end as x from units)
select arm, count(*) as n, sum(y) as y, sum(y * y) as yy, sum(x) as x, sum(x * x) as xx, sum(x * y) as xy
from used group by arm
"""
# What the champion said in place of an arm that failed is no merit of that arm.
_METRICS = {
    "accuracy": ("(status = 'ok' and guess = truth)::int", "sure", "truth is not null"),
    "listed": (
        "(status = 'ok' and jsonb_path_exists(top, '$[*].label ? (@ == $truth)', "
        "jsonb_build_object('truth', truth)))::int",
        "sure",
        "truth is not null",
    ),
    "errors": ("(status = 'failed')::int", "0", "true"),
    "latency": ("infer_ms", "0", "status = 'ok'"),
}


def gather(rollout: Rollout) -> dict[str, Any]:
    return {
        "units": _units(rollout),
        "metrics": {name: _measured(rollout, name) for name in rollout.config["metrics"]},
        "weighted": weighted_by_arm(rollout),
        "failures": failures_of(rollout),
        "rules": RULES,
    }


def _units(rollout: Rollout) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(_UNITS, [rollout.pk])
        return dict(cursor.fetchall())


def _measured(rollout: Rollout, metric: str) -> dict[str, Any]:
    value, covariate, where = _METRICS[metric]
    statement = _MOMENTS.replace("VALUE", value).replace("COVARIATE", covariate).replace("WHERE", where)
    arms = {row.pop("arm"): row for row in served(rollout, statement, labelled="truth" in where)}
    return {arm: arms[arm] for arm in (Arm.CHAMPION, Arm.CHALLENGER) if arm in arms}
