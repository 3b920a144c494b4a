from typing import Any

from serving.core.modes.failures import RULES
from serving.core.statistics.histogram import LEAST, STEP, quantile
from serving.models import Arm, Rollout
from serving.selectors.evidence.tally import tallied
from serving.selectors.truth import served_by

# An image that is sent again is no new evidence, and no new error: the first time of each counts.
# Its label counts once too, by the largest chance it had; a challenger that failed on it was wrong.
_JUDGED = """
with asked as (
    select shadow.digest, shadow.created_at, champion.unit, champion.guess as old, shadow.guess as new,
        shadow.truth, shadow.known, shadow.weight
    from served shadow join served champion on champion.id = shadow.shadow_of
    where shadow.status in ('shadow', 'broken')
),
judged as (
    select distinct on (digest) unit, old, new, truth, known,
        min(weight) over (partition by digest) as weight
    from asked where known is not null order by digest, truth is null, created_at
),
units as (
    select sum(weight) as w, coalesce(sum(weight) filter (where old = known), 0) as old,
        coalesce(sum(weight) filter (where new = known), 0) as new
    from judged group by unit
),
by_unit as (select count(*) as n, sum(w * w) as ww from units)
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
    coalesce(sum(weight ^ 2) filter (where new = known), 0) as new_w2y,
    (select jsonb_build_object('units', n, 'ww', ww, 'rr', (select sum(old ^ 2) from units),
        'wr', (select sum(w * old) from units)) from by_unit) as old_by_unit,
    (select jsonb_build_object('units', n, 'ww', ww, 'rr', (select sum(new ^ 2) from units),
        'wr', (select sum(w * new) from units)) from by_unit) as new_by_unit
from judged
"""
# As `histogram.bin_of`.
_SPEED = """
select shadow_of is null, floor(ln(greatest(infer_ms, %(least)s)) / %(step)s)::int as bin, count(*)
from serving_prediction where FRESH and status in ('ok', 'shadow') group by 1, 2
"""
_SHOWN = {"p50": 0.5, "p99": 0.99}


def gather(rollout: Rollout) -> dict[str, Any]:
    # Clients saw the champion's answers only.
    statements = {"labels": _JUDGED + _LABELS, "reported": _REPORTED}
    judged = served_by(rollout, statements, clients=False, labelled=True)
    counts = {**judged["labels"][0], **judged["reported"][0], "pairs": 0, "agreements": 0}
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
    old_ms, new_ms = _times(rollout)
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
        **{f"champion_{name}_ms": quantile(old_ms, q) for name, q in _SHOWN.items()},
        **{f"challenger_{name}_ms": quantile(new_ms, q) for name, q in _SHOWN.items()},
        "load_failed": bool(challenger.load_error),
        "rules": RULES,
    }


def _times(rollout: Rollout) -> tuple[dict[int, int], dict[int, int]]:
    """Of what clients were told, and of the challenger: how many answers took how long, by `bin_of`."""
    counts = tallied(rollout, "times", _SPEED, by=2, least=LEAST, step=STEP)
    old, new = (
        {number: n for (told, number), [n] in counts.items() if told is side} for side in (True, False)
    )
    return old, new


def _sums(n: int, counts: dict[str, Any], side: str) -> dict[str, Any]:
    """Right is 1 and wrong 0, so y is its own square."""
    if not n:
        return {}
    w2y = counts[f"{side}_w2y"]
    sums = {"n": n, "w": counts["w"], "wy": counts[f"{side}_wy"], "w2": counts["w2"], "w2y": w2y, "w2yy": w2y}
    return {**sums, "by_unit": counts[f"{side}_by_unit"]}
