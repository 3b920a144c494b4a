from typing import Any

from serving.core.modes.failures import RULES
from serving.models import Arm, Rollout
from serving.selectors.evidence import weighted
from serving.selectors.evidence.failures import failures_of
from serving.selectors.evidence.units import units_of
from serving.selectors.truth import served_by

# A unit's labels are averaged first: they are not independent. x, the champion's confidence, may only be used
# where it is known of every answer: else its gaps would tell the arms apart.
_MOMENTS = """
with judged as (
    select arm, unit, VALUE as y, sure as x from served where truth is not null
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
    "accuracy": "(status = 'ok' and guess = truth)::int",
    "listed": "(status = 'ok' and jsonb_path_exists(top, '$[*].label ? (@ == $truth)', "
    "jsonb_build_object('truth', truth)))::int",
}


def gather(rollout: Rollout) -> dict[str, Any]:
    metrics, units = rollout.config["metrics"], units_of(rollout)
    statements = {name: _statement(name) for name in metrics if name in _METRICS}
    judged = served_by(rollout, {**statements, "weighted": weighted.SUMS}, labelled=True)
    of_labels = {name: {row.pop("arm"): row for row in rows} for name, rows in judged.items()}
    return {
        "units": {arm: of["units"] for arm, of in units.items()},
        "metrics": {
            name: {
                arm: of_labels[name][arm] if name in _METRICS else units[arm][name]
                for arm in (Arm.CHAMPION, Arm.CHALLENGER)
                if arm in (of_labels[name] if name in _METRICS else units)
            }
            for name in metrics
        },
        "weighted": of_labels["weighted"],
        "failures": failures_of(rollout),
        "rules": RULES,
    }


def _statement(metric: str) -> str:
    return _MOMENTS.replace("VALUE", _METRICS[metric])
