from typing import Any

from serving.core.modes.failures import RULES
from serving.models import Arm, Decision, Rollout
from serving.selectors.evidence.failures import failures_of
from serving.selectors.evidence.tally import tallied
from serving.selectors.truth import served_by

# The first answer with a label to each image by each arm: sent again, it is no new evidence. An arm that
# failed was wrong: what the champion said in its place is no merit of its.
_ANSWERS = """
with first as (
    select distinct on (arm, digest) arm, coalesce(context, '') as context,
        status = 'ok' and guess = truth as good
    from served where truth is not null order by arm, digest, created_at
)
select arm, context, count(*) filter (where good) as "right", count(*) filter (where not good) as wrong
from first group by arm, context
"""
# The images that each arm answered, by the champion's guess when it was first sent; and of these, those with
# a label, which wait for none.
_IMAGES = """
with firsts as (
    select distinct on (arm, digest) arm, digest, coalesce(trace ->> 'guess', '') as context
    from serving_prediction where FRESH order by arm, digest, created_at
)
select arm, context, count(*) from firsts where not exists (
    select 1 from serving_prediction earlier
    where EARLIER and earlier.digest = firsts.digest and earlier.arm = firsts.arm)
group by arm, context
"""
_LABELLED = """
select arm, context, count(*) as n
from (select distinct arm, digest from served where truth is not null) images
cross join lateral (
    select coalesce(trace ->> 'guess', '') as context from serving_prediction sent
    where sent.project_id = %(project)s and sent.rollout_id = %(rollout)s and sent.digest = images.digest
        and sent.arm = images.arm
    order by created_at limit 1) first
group by arm, context
"""
# Each image once, whichever arm answered: sent again and again it meets every arm, whatever their shares.
_ONCE = """
with once as (
    select distinct on (digest) phase, unit, arm, propensity, sure,
        (status = 'ok' and guess = truth)::int::float8 as r
    from served where truth is not null and propensity > 0 order by digest, created_at
)
"""
# Sums over all labels, w = 1 / propensity where the arm in question answered. What the champion thinks of its
# own answer is what is expected of either arm, if that is known of every image: what is hard for one is
# mostly hard for the other, and where it is not, the estimate is noisier and as right.
_OFF_POLICY = """,
weighed as (
    select unit, r, case when arm = 'ARM' then 1 / propensity else 0 end as w,
        case when (select bool_and(sure is not null) from once) then sure else 0 end as q
    from once
),
valued as (select unit, r, w, q + w * (r - q) as phi from weighed),
units as (
    select count(*)::float8 as n, sum(w) as w, sum(w * r) as r, sum(phi) as p from valued group by unit
),
by_unit as (
    select count(*) as units, sum(n * n) as nn, sum(n * r) as nr, sum(r * r) as rr, sum(w * w) as ww,
        sum(w * r) as wr, sum(n * p) as np, sum(p * p) as pp
    from units
)
select count(*) as n, sum(w) as w, sum(w * r) as wr, sum(w ^ 2) as w2, sum(w ^ 2 * r) as w2r,
    sum(w ^ 2 * r ^ 2) as w2rr, sum(phi) as phi, sum(phi ^ 2) as phi2,
    (select to_jsonb(by_unit) from by_unit) as by_unit
from valued
"""
# A unit's labels in one phase are one draw: what it sends is alike, and all of it was dealt at once.
_CONTRAST = """,
scored as (
    select phase, unit, r,
        case arm when 'challenger' then 1 / propensity when 'champion' then -1 / propensity else 0 end as z
    from once
),
units as (
    select count(*) as n, sum(r) as r, sum(z) as z, sum(z * r) as zr,
        sum(z) filter (where z > 0) as new, -sum(z) filter (where z < 0) as old
    from scored group by phase, unit
)
select sum(n)::int as n, sum(r) as r, sum(z) as z, sum(zr) as zr, sum(z ^ 2) as z2, sum(z * zr) as z2r,
    sum(zr ^ 2) as zr2,
    least(coalesce(sum(new) ^ 2 / sum(new ^ 2), 0), coalesce(sum(old) ^ 2 / sum(old ^ 2), 0)) as least_units
from units
"""
_STATEMENTS = {
    "answers": _ANSWERS,
    "labelled": _LABELLED,
    "contrast": _ONCE + _CONTRAST,
    **{arm: _ONCE + _OFF_POLICY.replace("ARM", arm) for arm in (Arm.CHAMPION, Arm.CHALLENGER)},
}


def gather(rollout: Rollout) -> dict[str, Any]:
    judged = served_by(rollout, _STATEMENTS, labelled=True)
    answers: dict[str, dict[str, int]] = {}
    by_class: dict[str, dict[str, dict[str, int]]] = {}
    for (arm, context), row in sorted(_answered(rollout, judged).items()):
        if context:
            by_class.setdefault(context, {})[arm] = row
        total = answers.setdefault(arm, dict.fromkeys(row, 0))
        for name, count in row.items():
            total[name] += count
    return {
        "answers": answers,
        "by_class": by_class if rollout.config["by_class"] else {},
        "weights": rollout.progress["weights"],
        "labels_at_change": _labels_at_change(rollout),
        "off_policy": {arm: _sums(judged[arm]) for arm in (Arm.CHAMPION, Arm.CHALLENGER)},
        "contrast": _sums(judged["contrast"]),
        "failures": failures_of(rollout),
        "rules": RULES,
    }


def _answered(
    rollout: Rollout, judged: dict[str, list[dict[str, Any]]]
) -> dict[tuple[str, str], dict[str, int]]:
    """Answers, as JSON, by arm and context."""
    images = tallied(rollout, "images", _IMAGES, by=2)
    found = {group: {"right": 0, "wrong": 0, "pending": n} for group, [n] in images.items()}
    for row in judged["labelled"]:
        # One that came since the images were counted waits for nothing either.
        if (counts := found.get((row["arm"], row["context"]))) is not None:
            counts["pending"] = max(0, counts["pending"] - row["n"])
    for row in judged["answers"]:
        counts = found.setdefault((row["arm"], row["context"]), {"right": 0, "wrong": 0, "pending": 0})
        counts |= {"right": row["right"], "wrong": row["wrong"]}
    return {group: counts for group, counts in found.items() if any(counts.values())}


def _sums(rows: list[dict[str, Any]]) -> dict[str, Any]:
    [sums] = rows
    return sums if sums["n"] else {}


def _labels_at_change(rollout: Rollout) -> int:
    """The labels that the present shares were made of."""
    change = Decision.objects.filter(rollout=rollout, action="reweight").first()
    if change is None:
        return 0
    answers = change.evidence["evidence"]["answers"].values()
    return sum(one["right"] + one["wrong"] for one in answers)
