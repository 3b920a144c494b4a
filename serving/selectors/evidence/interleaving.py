from typing import Any

from django.db import connection

from serving.core.modes import CHALLENGER, CHAMPION
from serving.core.modes.failures import RULES
from serving.models import Rollout
from serving.selectors.evidence.failures import failures_of
from serving.selectors.truth import served

# A unit's choice for an image counts once. `vote` is "" for what both lists begin with, null for what is not
# in the list. Where the challenger failed, the list was the champion's.
_VOTES = """
with chosen as (
    select distinct on (unit, digest) case when arm = 'merged' then trace -> 'votes' ->> truth
        when jsonb_path_exists(top, '$[*].label ? (@ == $truth)', jsonb_build_object('truth', truth))
            then 'champion' end as vote
    from served
    where (arm = 'merged' and status = 'ok' or status = 'failed') and truth is not null
    order by unit, digest, created_at
)
select count(*) filter (where vote = 'champion') as wins_champion,
    count(*) filter (where vote = 'challenger') as wins_challenger,
    count(*) filter (where vote is null or vote = '') as ties,
    count(*) filter (where vote = '') as shared
from chosen
"""

# A draft is one coin, so each list gives one vote, however many people label beside it: the first answer that
# stands.
_ANNOTATORS = """
select vote, count(*) as n from (
    select distinct on (offer.id) coalesce(offer.votes ->> said.label_id::text, 'none') as vote
    from serving_offer offer
    join labelling_suggestion shown on shown.token = offer.id
    join labelling_annotation said on said.shown_list_id = shown.id and said.kind = 'answer'
    where offer.rollout_id = %s and not exists (
        select 1 from labelling_annotation later where later.supersedes_id = said.id)
    order by offer.id, said.id
) chosen group by vote
"""


def gather(rollout: Rollout) -> dict[str, Any]:
    [votes] = served(rollout, _VOTES, labelled=True)
    with connection.cursor() as cursor:
        cursor.execute(_ANNOTATORS, [rollout.pk])
        more: dict[str, int] = dict(cursor.fetchall())
    for arm in (CHAMPION, CHALLENGER):
        votes[f"wins_{arm}"] += more.get(arm, 0)
    votes["shared"] += more.get("", 0)
    votes["ties"] += more.get("", 0) + more.get("none", 0)
    by_annotators = sum(more.values())
    return {**votes, "by_annotators": by_annotators, "failures": failures_of(rollout), "rules": RULES}
