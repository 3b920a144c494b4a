from typing import Any

from django.db import connection

from serving.core.modes.failures import RULES
from serving.models import Arm, Rollout
from serving.selectors.evidence.tally import tallied
from serving.selectors.truth import served

# An image that is sent again is no new evidence, and no new error: the first time of each counts.
# Its label counts once too, by the largest chance it had; a challenger that failed on it was wrong.
_JUDGED = """,
asked as (
    select shadow.digest, shadow.created_at, champion.guess as old, shadow.guess as new,
        shadow.truth, shadow.known, shadow.weight
    from served shadow join served champion on champion.id = shadow.shadow_of
    where shadow.status in ('shadow', 'broken')
),
judged as (
    select distinct on (digest) old, new, truth, known, min(weight) over (partition by digest) as weight
    from asked where known is not null order by digest, truth is null, created_at
)
"""
_PAIRS = """
with seen as (
    select distinct on (shadow.digest) shadow.digest, shadow.status, champion.top -> 0 ->> 'label' as old,
        shadow.top -> 0 ->> 'label' as new
    from (select * from serving_prediction where FRESH and status in ('shadow', 'broken')) shadow
    join serving_prediction champion on champion.id = shadow.shadow_of
    where champion.rollout_id = %(rollout)s
    order by shadow.digest, shadow.created_at
)
select status, old, new, count(*) from seen where not exists (
    select 1 from serving_prediction earlier
    join serving_prediction champion on champion.id = earlier.shadow_of
    where EARLIER and earlier.digest = seen.digest and earlier.status in ('shadow', 'broken')
        and champion.rollout_id = %(rollout)s)
group by status, old, new
"""
_REPORTED = """
select count(*) as reported from served shadow join served champion on champion.id = shadow.shadow_of
where shadow.status = 'shadow' and shadow.reported and not exists (
    select 1 from serving_prediction earlier join serving_prediction told on told.id = earlier.shadow_of
    where earlier.project_id = %(project)s and earlier.digest = shadow.digest
        and earlier.rollout_id = %(rollout)s and told.rollout_id = %(rollout)s
        and earlier.status in ('shadow', 'broken') and earlier.created_at < shadow.created_at)
"""
_LABELS = """
select count(*) filter (where old = truth and new = truth) as both_right,
    count(*) filter (where old <> truth and new = truth) as only_new,
    count(*) filter (where old = truth and new is distinct from truth) as only_old,
    count(*) filter (where old <> truth and new is distinct from truth) as both_wrong,
    count(*) as labels,
    coalesce(sum(weight), 0) as w,
    coalesce(sum(weight ^ 2), 0) as w2,
    coalesce(sum(weight) filter (where old = known), 0) as old_wy,
    coalesce(sum(weight ^ 2) filter (where old = known), 0) as old_w2y,
    coalesce(sum(weight) filter (where new = known), 0) as new_wy,
    coalesce(sum(weight ^ 2) filter (where new = known), 0) as new_w2y
from judged
"""
_SPEED = """
select shadow_of is null as told,
    percentile_cont(0.5) within group (order by infer_ms) filter (where status in ('ok', 'shadow')) as p50,
    percentile_cont(0.99) within group (order by infer_ms) filter (where status in ('ok', 'shadow')) as p99
from serving_prediction where rollout_id = %s group by 1
"""


def gather(rollout: Rollout) -> dict[str, Any]:
    # Clients saw the champion's answers only.
    [counts] = served(rollout, _JUDGED + _LABELS, clients=False, labelled=True)
    counts |= served(rollout, _REPORTED, clients=False, labelled=True)[0]
    counts |= {"pairs": 0, "agreements": 0}
    broken = 0
    classes: dict[str, dict[str, int]] = {"old": {}, "new": {}}
    for (status, old, new), [n] in sorted(tallied(rollout, "pairs", _PAIRS, by=3).items(), key=str):
        if status == "broken":
            broken += n
            continue
        counts["pairs"] += n
        counts["agreements"] += n if old == new else 0
        for side, guess in (("old", old), ("new", new)):
            classes[side][guess] = classes[side].get(guess, 0) + n
    speed = _speed(rollout)
    challenger = rollout.arms.get(name=Arm.CHALLENGER)
    labels = counts["labels"]
    plain = ("pairs", "agreements", "both_right", "only_new", "only_old", "both_wrong", "reported")
    return {
        **{name: counts[name] for name in plain},
        "champion_labels": _sums(labels, counts, "old"),
        "challenger_labels": _sums(labels, counts, "new"),
        "champion_classes": classes["old"],
        "challenger_classes": classes["new"],
        "errors": broken,
        "dropped": challenger.dropped,
        **{f"champion_{q}_ms": speed.get(True, {}).get(q) for q in ("p50", "p99")},
        **{f"challenger_{q}_ms": speed.get(False, {}).get(q) for q in ("p50", "p99")},
        "load_failed": bool(challenger.load_error),
        "rules": RULES,
    }


def _speed(rollout: Rollout) -> dict[bool, dict[str, float]]:
    """By whether clients were told."""
    with connection.cursor() as cursor:
        cursor.execute(_SPEED, [rollout.pk])
        return {told: {"p50": p50, "p99": p99} for told, p50, p99 in cursor.fetchall()}


def _sums(n: int, counts: dict[str, Any], side: str) -> dict[str, Any]:
    """Right is 1 and wrong 0, so y is its own square."""
    w2y = counts[f"{side}_w2y"]
    return {"n": n, "w": counts["w"], "wy": counts[f"{side}_wy"], "w2": counts["w2"], "w2y": w2y, "w2yy": w2y}
