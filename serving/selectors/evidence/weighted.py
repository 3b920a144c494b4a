"""How right each arm is on all live traffic, from every label whose chance is known."""

# A statement over `served` (`selectors.truth`): WeightedSums by "arm". An image counts once an arm, by the
# largest chance it had. An answer that failed is a wrong one. Right is 1 and wrong 0, so y is its own square.
SUMS = """
with judged as (
    select distinct on (arm, digest) arm, unit, (status = 'ok' and guess = known)::int::float8 as y,
        min(weight) over (partition by arm, digest) as w
    from served where known is not null and weight is not null
    order by arm, digest, created_at
),
units as (select arm, unit, sum(w) as w, sum(w * y) as wy from judged group by arm, unit),
by_unit as (
    select arm as of, count(*) as units, sum(wy * wy) as rr, sum(w * w) as ww, sum(w * wy) as wr
    from units group by arm
)
select arm, count(*) as n, sum(w) as w, sum(w * y) as wy, sum(w ^ 2) as w2, sum(w ^ 2 * y) as w2y,
    sum(w ^ 2 * y) as w2yy,
    (select to_jsonb(by_unit) - 'of' from by_unit where by_unit.of = judged.arm) as by_unit
from judged group by arm
"""
