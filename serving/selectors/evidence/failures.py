"""How often the challenger failed where clients were to get its answer. Each image's first time counts, and
none that the champion failed on too: it has no answer.
"""

from typing import Any

from serving.models import Arm, Rollout
from serving.selectors.evidence.tally import tallied

_FAILURES = """
with asked as (
    select distinct on (digest) digest, status from serving_prediction
    where FRESH and arm in ('challenger', 'merged') and top <> '[]'
    order by digest, created_at
)
select status, count(*) from asked where not exists (
    select 1 from serving_prediction earlier where EARLIER and earlier.digest = asked.digest
        and earlier.arm in ('challenger', 'merged') and earlier.top <> '[]')
group by status
"""


def failures_of(rollout: Rollout) -> dict[str, Any]:
    """Failures, as JSON."""
    counts = tallied(rollout, "failures", _FAILURES, by=1)
    answered, errors = (counts.get((status,), [0])[0] for status in ("ok", "failed"))
    load_failed = bool(rollout.arms.get(name=Arm.CHALLENGER).load_error)
    return {"answered": answered, "errors": errors, "load_failed": load_failed}
