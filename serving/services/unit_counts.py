"""Keeps what each unit of an A/B test was answered, so that no look counts all again."""

from datetime import timedelta

from django.db import connection, transaction

from serving.models import Rollout, UnitCounts, UnitsCounted
from serving.selectors.evidence import tally
from serving.selectors.evidence.units import ANSWERS

_ADD = """
insert into serving_unitcounts as kept (rollout_id, arm, unit, answers, failed, timed, ms)
select %(rollout)s, arm, unit, answers, failed, timed, ms from (ANSWERS) fresh
on conflict (rollout_id, arm, unit) do update set answers = kept.answers + excluded.answers,
    failed = kept.failed + excluded.failed, timed = kept.timed + excluded.timed, ms = kept.ms + excluded.ms
""".replace("ANSWERS", ANSWERS)
BATCH = 20_000


def units_count(rollout: Rollout) -> None:
    """Add what has settled to what is kept, if it was a while ago that anything was.

    Where another process does it just now, nothing is done: a look counts what is missing.
    """
    UnitsCounted.objects.get_or_create(rollout=rollout)
    with transaction.atomic(), connection.cursor() as cursor:
        kept = UnitsCounted.objects.select_for_update(skip_locked=True).filter(rollout=rollout).first()
        if kept is None:
            return
        told = {"rollout": rollout.pk, "project": rollout.project_id, "phase": None}
        rows, settled = tally.rows_before(told, kept.until)
        if kept.until is None or rows != kept.rows:
            UnitCounts.objects.filter(rollout=rollout).delete()
            kept.until = None
        elif settled - kept.until <= timedelta(seconds=tally.SETTLED):
            return
        # Counted before the answers are: one that comes in between is missed by the next look's comparison.
        kept.rows, _ = tally.rows_before(told, settled)
        cursor.execute(_ADD, {**told, "since": kept.until, "until": settled})
        kept.until = settled
        kept.save()


def units_forget() -> int:
    """Delete a batch of what is kept of rollouts that are over; return how many."""
    over = UnitsCounted.objects.exclude(rollout__state__in=Rollout.LIVE)
    over.exclude(until=None).update(until=None)
    old = UnitCounts.objects.filter(rollout__in=over.values("rollout"))
    batch = list(old.values_list("pk", flat=True)[:BATCH])
    UnitCounts.objects.filter(pk__in=batch).delete()
    return len(batch)
