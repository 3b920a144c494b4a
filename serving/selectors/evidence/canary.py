from typing import Any

from django.utils import timezone

from serving.models import Arm, Rollout
from serving.selectors.truth import served

_TRAFFIC = """,
good as (
    select arm, max(created_at) as last from served where phase = %(phase)s and status = 'ok' group by arm
)
select arm, count(*) as requests, count(*) filter (where status = 'failed') as errors,
    count(*) filter (where status = 'ok' and infer_ms > %(slow)s) as slow,
    count(*) filter (where status = 'failed' and (last is null or created_at > last)) as errors_in_a_row
from served left join good using (arm) where phase = %(phase)s group by arm
"""
# In each step, an image counts once an arm.
_LABELS = """,
judged as (
    select distinct on (phase, arm, digest) phase, arm, guess = truth as good
    from served where truth is not null and status = 'ok'
    order by phase, arm, digest, created_at
)
select phase, arm, count(*) as labels, count(*) filter (where good) as good from judged group by phase, arm
"""


def gather(rollout: Rollout) -> dict[str, Any]:
    slow = rollout.slow_ms if rollout.slow_ms is not None else float("inf")
    traffic = {row.pop("arm"): row for row in served(rollout, _TRAFFIC, phase=rollout.phase, slow=slow)}
    strata: dict[int, dict[str, int]] = {}
    for row in served(rollout, _LABELS):
        stratum = strata.setdefault(row["phase"], {})
        stratum[f"{row['arm']}_labels"], stratum[f"{row['arm']}_right"] = row["labels"], row["good"]
    began = rollout.phase_since or rollout.created_at
    return {
        "step": rollout.progress["step"],
        "seconds": (timezone.now() - began).total_seconds(),
        **{arm: traffic[arm] for arm in (Arm.CHAMPION, Arm.CHALLENGER) if arm in traffic},
        "labels": [strata[phase] for phase in sorted(strata)],
        "load_failed": bool(rollout.arms.get(name=Arm.CHALLENGER).load_error),
    }
