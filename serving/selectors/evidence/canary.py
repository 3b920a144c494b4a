from collections import Counter
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from serving.core.modes.canary import Config
from serving.core.records import from_json
from serving.core.statistics.burst import RECENT
from serving.models import Arm, Rollout
from serving.selectors.evidence import weighted
from serving.selectors.evidence.tally import tallied
from serving.selectors.truth import served_by

# An image's first time in a step counts: sent again, it meets the same arm, and is the same error again.
# A challenger fails where the champion answers in its place: on what both fail on, nobody can say that it is
# the challenger's fault, and all of it may come from one client. The champion has nobody who answers for it,
# so each failure of its is part of what a challenger as good may have.
# Of answers that took long only those to requests of one image tell: a batch is one wait and not as many as
# it has images, takes longer the more there are, and is divided between the arms by shares.
_NUMBER = """case when created_at < %(began)s then -1
        else floor(extract(epoch from created_at - %(began)s) / %(seconds)s) end::int"""
_TRAFFIC = """
with sent as (
    select arm, digest, request_id, created_at, infer_ms, status = 'ok' as answered,
        status = 'failed' and (arm = 'champion' or top <> '[]') as failed, NUMBER as number
    from serving_prediction where FRESH and arm in ('champion', 'challenger')
),
ranked as (
    select *, row_number() over (partition by arm, digest order by created_at) = 1 as earliest,
        count(*) over (partition by request_id) = 1 as alone
    from sent
),
seen as (
    select *, earliest and not exists (
        select 1 from serving_prediction earlier
        where EARLIER and earlier.digest = ranked.digest and earlier.arm = ranked.arm) as first
    from ranked
)
select arm, number, count(*) as requests, count(*) filter (where first) as images,
    count(*) filter (where first and failed) as errors,
    count(*) filter (where alone and answered) as timed,
    count(*) filter (where alone and answered and infer_ms > %(slow)s) as slow
from seen group by arm, number
""".replace("NUMBER", _NUMBER)
_COUNTED = ("requests", "images", "errors", "timed", "slow")
# Of an arm's failures those since its last answer: few, or there would be one.
_LAST = """
select created_at from serving_prediction
where rollout_id = %(rollout)s and phase = %(phase)s and arm = %(arm)s and status = 'ok'
order by created_at desc limit 1
"""
_IN_A_ROW = """
with failed as (
    select distinct on (digest) digest, created_at, NUMBER as number from serving_prediction
    where rollout_id = %(rollout)s and phase = %(phase)s and created_at > %(last)s
        and arm = %(arm)s and status = 'failed' and (arm = 'champion' or top <> '[]')
    order by digest, created_at
)
select number, count(*) from failed where not exists (
    select 1 from serving_prediction earlier where earlier.project_id = %(project)s
        and earlier.digest = failed.digest and earlier.rollout_id = %(rollout)s and earlier.phase = %(phase)s
        and earlier.arm = %(arm)s and earlier.created_at < failed.created_at)
group by number
""".replace("NUMBER", _NUMBER)
# An image counts once an arm, in the step that sent it first: sent again, it is no new evidence. An answer
# that failed is a wrong one: else a model would look better for failing on what is hard.
_LABELS = """
with judged as (
    select distinct on (arm, digest) phase, arm, unit, (status = 'ok' and guess = truth) as good
    from served where truth is not null
    order by arm, digest, created_at
)
"""
_STRATA = """
select phase, arm, count(*) as labels, count(*) filter (where good) as good from judged group by phase, arm
"""
# As `UnitSpread.of`.
_UNITS = """,
shares as (
    select phase, count(*) filter (where arm = 'challenger')::float8 as new,
        count(*) filter (where arm = 'champion')::float8 as old,
        avg(good::int) filter (where arm = 'challenger')::float8 as new_share,
        avg(good::int) filter (where arm = 'champion')::float8 as old_share
    from judged group by phase
),
both_arms as (select *, new * old / (new + old) as w from shares where new > 0 and old > 0),
scored as (
    select unit,
        case arm when 'challenger' then w / new else 0 end as new,
        case arm when 'champion' then w / old else 0 end as old,
        case arm when 'challenger' then w / new * (good::int - new_share)
            else -w / old * (good::int - old_share) end as score
    from judged join both_arms using (phase) where arm in ('challenger', 'champion')
),
units as (select sum(new) as new, sum(old) as old, sum(score) as score from scored group by unit)
select coalesce(sum(score ^ 2) / (select sum(w) ^ 2 from both_arms), 0) as variance,
    coalesce(sum(old) ^ 2 / sum(old ^ 2), 0) as champion,
    coalesce(sum(new) ^ 2 / sum(new ^ 2), 0) as challenger
from units
"""


def gather(rollout: Rollout) -> dict[str, Any]:
    began = rollout.phase_since or rollout.created_at
    traffic, blocks = _traffic(rollout, began)
    strata: dict[int, dict[str, int]] = {}
    judged = served_by(
        rollout,
        {"strata": _LABELS + _STRATA, "units": _LABELS + _UNITS, "weighted": weighted.SUMS},
        labelled=True,
    )
    for row in judged["strata"]:
        stratum = strata.setdefault(row["phase"], {})
        stratum[f"{row['arm']}_labels"], stratum[f"{row['arm']}_right"] = row["labels"], row["good"]
    return {
        "step": rollout.progress["step"],
        "seconds": (timezone.now() - began).total_seconds(),
        **traffic,
        "labels": [strata[phase] for phase in sorted(strata)],
        "units": judged["units"][0],
        "weighted": {row.pop("arm"): row for row in judged["weighted"]},
        "blocks": blocks,
        "load_failed": bool(rollout.arms.get(name=Arm.CHALLENGER).load_error),
    }


def _traffic(rollout: Rollout, began: datetime) -> tuple[dict[str, Counter[str]], list[dict[str, Any]]]:
    """Of this step: all by arm, and the newest blocks, which stand alone."""
    seconds = from_json(Config, rollout.config).block_seconds
    now = int((timezone.now() - began).total_seconds() / seconds)
    slow = rollout.slow_ms if rollout.slow_ms is not None else float("inf")
    params: dict[str, Any] = {"began": began, "seconds": seconds, "slow": slow}
    newest = max(0, now - RECENT + 1)

    def kept_as(group: tuple[str, int]) -> tuple[str, int]:
        """Blocks that stand alone no more would be kept for ever."""
        return (group[0], group[1] if group[1] >= newest else -1)

    counts = tallied(rollout, "traffic", _TRAFFIC, by=2, phase=rollout.phase, kept_as=kept_as, **params)
    found = {group: dict(zip(_COUNTED, of, strict=True)) for group, of in counts.items()}
    params |= {"rollout": rollout.pk, "project": rollout.project_id, "phase": rollout.phase}
    with connection.cursor() as cursor:
        for arm in (Arm.CHAMPION, Arm.CHALLENGER):
            cursor.execute(_LAST, {**params, "arm": arm})
            [last] = cursor.fetchone() or ["-infinity"]
            cursor.execute(_IN_A_ROW, {**params, "arm": arm, "last": last})
            for number, errors in cursor.fetchall():
                found.setdefault((arm, number), dict.fromkeys(_COUNTED, 0))["errors_in_a_row"] = errors
    arms: dict[str, Counter[str]] = {}
    blocks: dict[int, dict[str, Any]] = {}
    for (arm, number), of in sorted(found.items()):
        of.setdefault("errors_in_a_row", 0)
        arms.setdefault(arm, Counter()).update(of)
        # The oldest one whole: a part of a block would count as all of it.
        if number >= newest:
            blocks.setdefault(number, {"number": number})[arm] = of
    return arms, list(blocks.values())
