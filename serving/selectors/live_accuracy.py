"""How often clients got right answers, whichever version gave them, by what the audit had annotators label.

Each answer was given before its label, so no version knew it. A label carries the chance of its draw, and
each image counts once, by 1 / that chance: the share may have changed. Answers of a rollout are left out: its
own page has them, by a draw of their own. After the share was raised, an image that was asked before keeps
what it was asked for: one that was drawn is weighed a little too much, one that was picked is left out.
"""

from dataclasses import dataclass

from django.db import connection

from learning.core.confidence_sequence import anytime_interval
from serving.core.statistics.weighting import WeightedSums
from serving.models import Deployment

DAYS = 30
_SUMS = """
with said as (
    select one.item_id, min(one.created_at) as at, (array_agg(one.inclusion order by one.id))[1] as chance
    from labelling_annotation one
    where one.project_id = %(project)s and one.question_id = %(question)s and one.kind <> 'undo'
        and one.created_at > statement_timestamp() - make_interval(days => %(days)s)
    group by one.item_id
    having (array_agg(one.source order by one.id))[1] = 'audit' and bool_and(one.suggestion_id is null)
),
judged as (
    select distinct on (item.digest) 1 / said.chance as w,
        (sent.top -> 0 ->> 'label' = label.name)::int::float8 as y
    from said
    join labelling_item item on item.id = said.item_id
    join labelling_consensus agreed on agreed.item_id = item.id and agreed.question_id = %(question)s
    join labelling_label label on label.id = agreed.label_id
    join serving_prediction sent on sent.project_id = %(project)s and sent.digest = item.digest
    join learning_modelversion version on version.id = sent.model_version_id
    join learning_learner learner on learner.id = version.learner_id
    where said.chance > 0 and sent.created_at < said.at and sent.status = 'ok' and sent.shadow_of is null
        and learner.question_id = %(question)s and sent.rollout_id is null
        and not exists (select 1 from serving_prediction other
            where other.project_id = %(project)s and other.digest = item.digest and other.audited)
    order by item.digest, sent.created_at desc
)
select count(*) as n, coalesce(sum(w), 0) as w, coalesce(sum(w * y), 0) as wy, coalesce(sum(w ^ 2), 0) as w2
from judged
"""


@dataclass(frozen=True)
class LiveAccuracy:
    """Shares, with an interval that holds with 95% at every look, as if the labels were so many even ones as
    their weights are worth.
    """

    right: float
    low: float
    high: float
    labels: int


def live_accuracy(deployment: Deployment) -> LiveAccuracy | None:
    """None without a label of the audit."""
    params = {"project": deployment.project_id, "question": deployment.question_id, "days": DAYS}
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, params)
        sums = WeightedSums(*cursor.fetchone())
    if sums.mean is None:
        return None
    right = min(1.0, sums.mean)  # a sum of floats may be a little more
    low, high = anytime_interval(right * sums.effective, sums.effective)
    return LiveAccuracy(right, low, high, sums.n)
