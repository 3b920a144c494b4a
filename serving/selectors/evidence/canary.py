from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from serving.core.modes.canary import Config
from serving.core.records import from_json
from serving.core.statistics.burst import RECENT
from serving.models import Arm, Rollout
from serving.selectors.evidence.weighted import weighted_by_arm
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
# Of the newest blocks of time only: older ones are part of the whole step's counts.
_BLOCKS = """
select arm, greatest(0, floor(extract(epoch from created_at - %(began)s) / %(seconds)s))::int as number,
    count(*) as requests, count(*) filter (where status = 'failed') as errors,
    count(*) filter (where status = 'ok' and infer_ms > %(slow)s) as slow
from serving_prediction
where rollout_id = %(rollout)s and phase = %(phase)s and created_at >= %(since)s
group by arm, number
"""
# An image counts once an arm, in the step that sent it first: sent again, it is no new evidence. An answer
# that failed is a wrong one: else a model would look better for failing on what is hard.
_LABELS = """,
judged as (
    select distinct on (arm, digest) phase, arm, (status = 'ok' and guess = truth) as good
    from served where truth is not null
    order by arm, digest, created_at
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
        "weighted": weighted_by_arm(rollout),
        "blocks": _blocks(rollout, began, slow),
        "load_failed": bool(rollout.arms.get(name=Arm.CHALLENGER).load_error),
    }


def _blocks(rollout: Rollout, began: datetime, slow: float) -> list[dict[str, Any]]:
    seconds = from_json(Config, rollout.config).block_seconds
    now = int((timezone.now() - began).total_seconds() / seconds)
    params: dict[str, Any] = {
        "rollout": rollout.pk,
        "phase": rollout.phase,
        "began": began,
        "seconds": seconds,
        "slow": slow,
        # The oldest one whole: a part of a block would count as all of it.
        "since": began + timedelta(seconds=seconds * max(0, now - RECENT + 1)),
    }
    blocks: dict[int, dict[str, Any]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_BLOCKS, params)
        for arm, number, *counts in cursor.fetchall():
            block = blocks.setdefault(number, {"number": number})
            block[arm] = dict(zip(("requests", "errors", "slow"), counts, strict=True))
    known = ("number", Arm.CHAMPION, Arm.CHALLENGER)
    return [{name: blocks[n][name] for name in known if name in blocks[n]} for n in sorted(blocks)]
