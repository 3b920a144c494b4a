"""Counts of a rollout's answers that are kept between looks: a look counts what came since, not all again.

What is older than a minute or two is counted once and its counts are kept with the rollout; what is newer is
counted at each look. Counts that are kept hold for just so many answers: where one came late, as after an
outage, or old ones were forgotten, there are not as many any more, and all are counted afresh. So what comes
out is what a count of everything would say.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from serving.models import Rollout

SETTLED = 60.0  # seconds: what is older has nearly always been stored
_ROWS = """
select count(*), statement_timestamp() - make_interval(secs => %(settled)s) from serving_prediction
where rollout_id = %(rollout)s and (%(phase)s::int is null or phase = %(phase)s) and created_at < %(until)s
"""
# In a statement: FRESH is the condition of the answers to be counted, and EARLIER that of another answer, of
# the same `digest`, that came before all of them.
FRESH = """rollout_id = %(rollout)s and (%(phase)s::int is null or phase = %(phase)s)
    and (%(since)s::timestamptz is null or created_at >= %(since)s)
    and (%(until)s::timestamptz is null or created_at < %(until)s)"""
_EARLIER = """%(since)s::timestamptz is not null and earlier.project_id = %(project)s
    and earlier.rollout_id = %(rollout)s and (%(phase)s::int is null or earlier.phase = %(phase)s)
    and earlier.created_at < %(since)s"""

Group = tuple[Any, ...]
Counts = dict[Group, list[int]]


def tallied(
    rollout: Rollout,
    name: str,
    statement: str,
    *,
    by: int,
    phase: int | None = None,
    kept_as: Callable[[Group], Group] = lambda group: group,
    **params: Any,
) -> Counts:
    """What the statement counts, by its first `by` columns; all others are counts, which add up over time.

    Leaves on `rollout.tally`, under `name`, what may be kept; groups that are `kept_as` the same become one
    there. Other `params` make kept counts worthless.
    """
    told: dict[str, Any] = {"rollout": rollout.pk, "project": rollout.project_id, "phase": phase, **params}
    key = [phase, *map(str, params.values())]
    kept: Mapping[str, Any] = rollout.tally.get(name, {})
    until = datetime.fromisoformat(kept["until"]) if kept.get("key") == key else None
    rows, settled = rows_before(told, until)
    if until is None or rows != kept["rows"]:
        until, counts = None, Counts()
    else:
        counts = {tuple(group): list(found) for group, found in kept["counts"]}
    if until is None or settled - until > timedelta(seconds=SETTLED):
        # Counted before the answers are: one that comes in between is missed by the next look's comparison.
        rows, _ = rows_before(told, settled)
        _add(counts, statement, by, {**told, "since": until, "until": settled})
        until = settled
        together = Counts()
        for group, found in counts.items():
            _more(together, kept_as(group), found)
        counts = together
        stored = [[list(group), found] for group, found in counts.items()]
        rollout.tally[name] = {"key": key, "until": until.isoformat(), "rows": rows, "counts": stored}
    _add(counts, statement, by, {**told, "since": until, "until": None})
    return counts


def rows_before(told: Mapping[str, Any], until: datetime | None) -> tuple[int, datetime]:
    """How many answers of a rollout (in a phase, if it is not None) came before, and until when all have come
    that are to be kept.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, {**told, "until": until, "settled": SETTLED})
        rows, settled = cursor.fetchone()
    return rows, settled


def _add(counts: Counts, statement: str, by: int, told: Mapping[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement.replace("FRESH", FRESH).replace("EARLIER", _EARLIER), told)
        for row in cursor.fetchall():
            _more(counts, row[:by], row[by:])


def _more(counts: Counts, group: Group, found: Sequence[int]) -> None:
    before = counts.get(group, [0] * len(found))
    counts[group] = [a + b for a, b in zip(before, found, strict=True)]
