"""Hand out the next items. Every lease is given, renewed or taken back under its item's row lock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from labelling.core.mixing import from_holdout, from_wanted
from labelling.models import Item, Lease, Project, User
from labelling.services.lease_statements import HOLD, NUMBERS, TAKE

# Of the questions that are not blind, so many at most come from outside: learning goes on meanwhile.
WANTED_SHARE = 0.25


@dataclass(frozen=True)
class _Taken:
    source: str
    item_id: int
    place: int
    rank: int | None
    round_number: int | None
    suggestion_id: int | None
    confidence: float | None
    others: str  # JSON
    inclusion: float | None


def lease_items(*, project: Project, annotator: User, count: int, holding: Sequence[int] = ()) -> list[Lease]:
    """Lease up to `count` items to a person, in the order to show them; fewer when there are no more.

    `holding` names the items the browser has at hand: their leases are renewed. What else the person holds is
    served again first (the page was reloaded), and what of that goes beyond `count` is given back.
    """
    with transaction.atomic():
        again = _held_otherwise(project, annotator, count, holding)
        fresh: list[int] = []
        # Another look is needed when someone else was faster on what was chosen.
        for _attempt in range(5):
            missing = count - len(again) - len(fresh)
            found = _take(project, annotator, missing) if missing > 0 else None
            if found is None:
                break
            fresh += found
    chosen = [*again, *fresh]
    leases = Lease.objects.select_related("item", "suggestion").in_bulk(chosen)
    return [leases[pk] for pk in chosen if pk in leases]


def _held_otherwise(project: Project, annotator: User, count: int, holding: Sequence[int]) -> list[int]:
    """Renew what the person holds; return the leases to serve again."""
    mine = Lease.objects.filter(project=project, annotator=annotator, expires_at__gt=Now())
    # Always in the order of ids, so that two requests of one person wait for each other and never lock up.
    items = Item.objects.filter(leases__in=mine).order_by("id").select_for_update(no_key=True, of=("self",))
    held = [item.pk for item in items]
    if not held:
        return []
    others = list(mine.exclude(item__in=holding).order_by("id").values_list("id", flat=True))
    again, surplus = others[:count], others[count:]
    if surplus:
        Lease.objects.filter(pk__in=surplus).delete()
    mine.filter(item__in=held).update(expires_at=Now() + _seconds(project))
    return again


def _seconds(project: Project) -> timedelta:
    return timedelta(seconds=project.lease_seconds)


def _take(project: Project, annotator: User, count: int) -> list[int] | None:
    """Ids of new leases, None if there is nothing to lease. Runs inside a transaction, whose end unlocks."""
    # Without a hold-out, what measures is drawn from the whole pool.
    held_out = project.holdout_share > 0
    source = Lease.Source.HOLDOUT if held_out else Lease.Source.RANDOM
    params: dict[str, Any] = {
        "project": project.pk,
        "annotator": annotator.pk,
        "overlap": project.overlap,
        "seconds": project.lease_seconds,
        "count": count,
        "holdout_share": project.holdout_share,
        "blind_source": source.value,
        "blind_split": (Item.Split.HOLDOUT if held_out else Item.Split.POOL).value,
    }
    with connection.cursor() as cursor:
        cursor.execute(NUMBERS, params)
        rows = cursor.fetchall()
        numbers: list[int] = [row[0] for row in rows]
        share = project.holdout_queue_share
        if share > 0:
            share = max([share, *(row[1] or 0.0 for row in rows)])
        blind = {n for n in numbers if from_holdout(project.seed, n, share)}
        wanted = [n for n in numbers if n not in blind and from_wanted(project.seed, n, WANTED_SHARE)]
        cursor.execute(TAKE, {**params, "blind": len(blind), "wanted": len(wanted)})
        taken = [_Taken(*row) for row in cursor.fetchall()]
        if not taken:
            return None
        numbered = _numbered(taken, numbers, blind, source)
        columns: dict[str, Any] = {
            "numbers": [number for number, _ in numbered],
            "items": [one.item_id for _, one in numbered],
            "sources": [one.source for _, one in numbered],
            "ranks": [one.rank for _, one in numbered],
            "rounds": [one.round_number for _, one in numbered],
            "suggestions": [one.suggestion_id for _, one in numbered],
            "confidences": [one.confidence for _, one in numbered],
            "others": [one.others for _, one in numbered],
            "inclusions": [one.inclusion for _, one in numbered],
        }
        cursor.execute(HOLD, params | columns)
        return sorted(row[0] for row in cursor.fetchall())


_S = Lease.Source
_ORDER = (_S.AUDIT, _S.TRAFFIC, _S.LISTED, _S.RANKED, _S.RANDOM, _S.HOLDOUT)


def _numbered(
    taken: list[_Taken], numbers: list[int], blind: set[int], source: str
) -> list[tuple[int, _Taken]]:
    """Give each item a lease number whose draw asked for its source, as far as the sources went.

    `source`: what the blind numbers ask for.
    """
    taken = sorted(taken, key=lambda one: one.place)
    drawn = [one for one in taken if one.source == source]
    order = [one for one in _ORDER if one != source]
    others = [one for wanted in order for one in taken if one.source == wanted]
    numbered = []
    for number in numbers:
        first, second = (drawn, others) if number in blind else (others, drawn)
        if first or second:
            numbered.append((number, (first or second).pop(0)))
    return numbered
