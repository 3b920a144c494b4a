from typing import Any

from serving.core.modes.failures import RULES
from serving.models import Arm, Rollout
from serving.selectors.truth import served

# An image that is sent again is no new evidence, and no new error: the first time of each counts.
# Its label counts once too, by the largest chance it had; a challenger that failed on it was wrong.
_PAIRS = """,
asked as (
    select shadow.digest, shadow.created_at, shadow.status, champion.guess as old, shadow.guess as new,
        shadow.truth, shadow.known, shadow.weight, shadow.reported
    from served shadow join served champion on champion.id = shadow.shadow_of
    where shadow.status in ('shadow', 'broken')
),
seen as (select distinct on (digest) * from asked order by digest, created_at),
pairs as (select * from seen where status = 'shadow'),
judged as (
    select distinct on (digest) old, new, truth, known, min(weight) over (partition by digest) as weight
    from asked where known is not null order by digest, truth is null, created_at
)
"""
_ERRORS = """
select count(*) as errors from seen where status = 'broken'
"""
_COUNTS = """
select count(*) as pairs, count(*) filter (where old = new) as agreements,
    count(*) filter (where reported) as reported
from pairs
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
_CLASSES = """
select old, new, count(*) as n from pairs group by old, new
"""
_SPEED = """
select shadow_of is null as told,
    percentile_cont(0.5) within group (order by infer_ms) filter (where status in ('ok', 'shadow')) as p50,
    percentile_cont(0.99) within group (order by infer_ms) filter (where status in ('ok', 'shadow')) as p99
from served group by 1
"""


def gather(rollout: Rollout) -> dict[str, Any]:
    # Clients saw the champion's answers only.
    [counts] = served(rollout, _PAIRS + _COUNTS, clients=False)
    [labelled] = served(rollout, _PAIRS + _LABELS, clients=False)
    counts |= labelled
    classes: dict[str, dict[str, int]] = {"old": {}, "new": {}}
    for row in served(rollout, _PAIRS + _CLASSES):
        for side, of in classes.items():
            of[row[side]] = of.get(row[side], 0) + row["n"]
    speed = {row["told"]: row for row in served(rollout, _SPEED)}
    [broken] = served(rollout, _PAIRS + _ERRORS)
    challenger = rollout.arms.get(name=Arm.CHALLENGER)
    labels = counts["labels"]
    plain = ("pairs", "agreements", "both_right", "only_new", "only_old", "both_wrong", "reported")
    return {
        **{name: counts[name] for name in plain},
        "champion_labels": _sums(labels, counts, "old"),
        "challenger_labels": _sums(labels, counts, "new"),
        "champion_classes": classes["old"],
        "challenger_classes": classes["new"],
        "errors": broken["errors"],
        "dropped": challenger.dropped,
        **{f"champion_{q}_ms": speed.get(True, {}).get(q) for q in ("p50", "p99")},
        **{f"challenger_{q}_ms": speed.get(False, {}).get(q) for q in ("p50", "p99")},
        "load_failed": bool(challenger.load_error),
        "rules": RULES,
    }


def _sums(n: int, counts: dict[str, Any], side: str) -> dict[str, Any]:
    """Right is 1 and wrong 0, so y is its own square."""
    w2y = counts[f"{side}_w2y"]
    return {"n": n, "w": counts["w"], "wy": counts[f"{side}_wy"], "w2": counts["w2"], "w2y": w2y, "w2yy": w2y}
