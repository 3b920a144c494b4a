"""The join: what was answered, beside what turned out to be true.

A prediction's truth is what its client reported, else what people say of the same image. Only labels that
came about without regard to the arm count:

- a client's feedback (weight 1), unless clients see one arm's answers only, as in a shadow: who reports
  mistakes and not what was right finds only the other arm right, and nobody knows who does;
- an image that people had labelled before the answer, if neither a model nor live traffic had it asked
  (weight 1: it counts whatever the arm and the draw);
- an image of the audit, a uniform draw of all images sent (weight 1 / the chance it was drawn with, for
  Hajek's estimate; the share may change while the rollout runs, so each answer keeps its own).

What a model was unsure of is drawn more often, with a chance that is kept: its labels count where each is
weighed by 1 / that chance (`known`), and nowhere else (`truth`). What a query strategy picked is left out:
nobody knows the chance it had. So is an image that an arm has
learned from, which it would know by heart, and an answer given beside a suggestion, which is drawn to it.

An image that was asked because of an earlier answer or by a strategy, and is sent again, counts only for
answers that were drawn themselves. If its label counted for any later answer, what some model had been unsure
of or had contradicted would come into the comparison as often as clients repeat it, beside a tenth of all
else: that model would look worse, and the other better, by the choice alone. By the rule, an answer counts
with weight 1 on average (chance times 1 / chance) whatever became of earlier ones. A label that an earlier
audit drew was drawn evenly, but the later answer would then count by two draws and be weighed by one.

Where labels are weighed, all answers of a rollout to an image share one place in the draw: what is drawn at a
share is drawn at any larger one. So the chance that it counts at all is the largest that any of its answers
had, and where an image counts once, its weight is the least of theirs.
"""

import json
from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.db.models import Max

from learning.models import ModelVersion
from serving.models import Rollout

# `served`: one row a prediction of the rollout; `truth` was drawn evenly, `known` with chance 1 / `weight`.
SERVED = """
with said as (
    select item.id, item.digest, item.split, min(one.id) as first, min(one.created_at) as at,
        bool_or(one.suggestion_id is not null) as suggested,
        (array_agg(one.source in ('audit', 'traffic') or one.source = 'ranked' and one.inclusion is null
            order by one.id))[1] as picked
    from labelling_item item
    join labelling_annotation one on one.item_id = item.id
    where item.project_id = %(project)s and one.question_id = %(question)s and one.kind <> 'undo'
        and exists (select 1 from serving_prediction sent where sent.project_id = %(project)s
            and sent.digest = item.digest and sent.rollout_id = %(rollout)s)
    group by item.id
),
served as (
    select p.id, p.phase, p.arm, p.status, p.unit, p.digest, p.propensity, p.infer_ms, p.created_at,
        p.shadow_of, p.top, p.trace, p.top -> 0 ->> 'label' as guess, p.trace ->> 'guess' as context,
        (p.trace ->> 'sure')::float8 as sure, feedback.id is not null as reported,
        case when p.created_at <= statement_timestamp() - make_interval(secs => %(maturity)s)
            and (told.id is not null or not said.picked and said.at < p.created_at or p.audited)
            then coalesce(told.name, people.name) end as truth,
        case when p.created_at <= statement_timestamp() - make_interval(secs => %(maturity)s)
            then coalesce(told.name, people.name) end as known,
        case when told.id is not null or not said.picked and said.at < p.created_at then 1.0::float8
            else 1.0::float8 / p.inclusion end as weight
    from serving_prediction p
    left join serving_feedback feedback on feedback.prediction_id = coalesce(p.shadow_of, p.id)
    left join labelling_label told on told.id = feedback.label_id and %(clients)s
    left join said on said.digest = p.digest and not said.suggested
        and (said.split = 'holdout' or said.first > %(learned)s)
        and (not said.picked and said.at < p.created_at or p.audited or p.inclusion is not null)
    left join labelling_consensus agreed on agreed.item_id = said.id and agreed.question_id = %(question)s
    left join labelling_label people on people.id = agreed.label_id
    where p.rollout_id = %(rollout)s CHOSEN
)
"""
# Of a million answers the few that a label may speak of are looked up by it: those to an image that people
# labelled, and those a client reported with what the challenger made of the same image in the shadow.
_LABELLED = """and p.id = any(array(
    select sent.id from said join serving_prediction sent
        on sent.project_id = %(project)s and sent.digest = said.digest
    union
    select sent.id from serving_feedback told
        join serving_prediction about on about.id = told.prediction_id
        join serving_prediction sent on sent.project_id = %(project)s and sent.digest = about.digest
    where about.rollout_id = %(rollout)s and told.created_at >= %(began)s
        and (sent.id = about.id or sent.shadow_of = about.id)
))"""
_ROWS = "(select coalesce(jsonb_agg(to_jsonb(found)), '[]') from (STATEMENT) found)"


def served(
    rollout: Rollout, statement: str, *, clients: bool = True, labelled: bool = False
) -> list[dict[str, Any]]:
    """The rows of a statement over `served`, by their columns' names. `clients`: their feedback is truth.
    `labelled`: the statement looks at those only that have a truth, are known, or were reported.
    """
    return served_by(rollout, {"rows": statement}, clients=clients, labelled=labelled)["rows"]


def served_by(
    rollout: Rollout, statements: Mapping[str, str], *, clients: bool = True, labelled: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """As `served`, of several statements at once, for `served` is what takes long. By their names."""
    arms = ModelVersion.objects.filter(pk__in=rollout.arms.values("model_version"))
    params: dict[str, Any] = {
        "rollout": rollout.pk,
        "project": rollout.project_id,
        "question": rollout.question_id,
        "maturity": rollout.maturity_seconds,
        "clients": clients,
        "learned": arms.aggregate(newest=Max("run__through_annotation"))["newest"] or 0,
        "began": rollout.created_at,
    }
    given = SERVED.replace("CHOSEN", _LABELLED if labelled else "")
    found = ", ".join(_ROWS.replace("STATEMENT", statement) for statement in statements.values())
    with connection.cursor() as cursor:
        cursor.execute(f"{given} select {found}", params)
        return {
            name: json.loads(rows) for name, rows in zip(statements, cursor.fetchone() or (), strict=True)
        }
