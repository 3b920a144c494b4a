"""How right each arm is on all live traffic, from every label whose chance is known."""

# A statement over `served` (`selectors.truth`): WeightedSums by "arm". An image counts once an arm, by the
# largest chance it had. An answer that failed is a wrong one. Right is 1 and wrong 0, so y is its own square.
SUMS = """
with judged as (
    select distinct on (arm, digest) arm, (status = 'ok' and guess = known)::int::float8 as y,
        min(weight) over (partition by arm, digest) as w
    from served where known is not null and weight is not null
    order by arm, digest, created_at
)
select arm, count(*) as n, sum(w) as w, sum(w * y) as wy, sum(w ^ 2) as w2, sum(w ^ 2 * y) as w2y,
    sum(w ^ 2 * y) as w2yy
from judged group by arm
"""
