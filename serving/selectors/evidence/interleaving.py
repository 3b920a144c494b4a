from typing import Any

from serving.models import Rollout
from serving.selectors.truth import served

# A unit's choice for an image counts once. `vote` is "" for what both lists begin with, null for what is not
# in the list.
_VOTES = """,
chosen as (
    select distinct on (unit, digest) trace -> 'votes' ->> truth as vote from served
    where arm = 'merged' and status = 'ok' and truth is not null
    order by unit, digest, created_at
)
select count(*) filter (where vote = 'champion') as wins_champion,
    count(*) filter (where vote = 'challenger') as wins_challenger,
    count(*) filter (where vote is null or vote = '') as ties,
    count(*) filter (where vote = '') as shared
from chosen
"""


def gather(rollout: Rollout) -> dict[str, Any]:
    [votes] = served(rollout, _VOTES)
    return votes
