"""Lists of suggestions that an upper layer offers. Why, and what it makes of the choice, is its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from django.db import transaction
from django.db.models import Exists, Max, OuterRef

from labelling.models import Annotation, Item, Question, Suggestion, Wanted


@dataclass(frozen=True)
class Listed:
    item_id: int
    labels: Sequence[int]  # ids, in the order to show
    token: UUID


def items_drawn(*, question: Question, count: int, rng: np.random.Generator) -> list[Item]:
    """Up to `count` items of the pool that nobody has spoken of and nobody wants, drawn evenly.

    Evenly, not from the ranking: what a model was unsure of says too little for it. The pool lies in random
    order, so a run from anywhere in it is a draw.
    """
    said = Annotation.objects.filter(item=OuterRef("pk"))
    pool = Item.objects.filter(project=question.project_id, split=Item.Split.POOL, open=True)
    most = pool.aggregate(most=Max("random_rank"))["most"]
    if most is None:
        return []
    free = pool.filter(~Exists(said), wanted=None, leases=None).order_by("random_rank")
    start = int(rng.integers(most + 1))
    drawn = list(free.filter(random_rank__gte=start)[:count])
    return [*drawn, *free.filter(random_rank__lt=start)[: count - len(drawn)]]


@transaction.atomic
def suggestions_offer(*, question: Question, lists: Sequence[Listed], reason: str) -> set[UUID]:
    """Have these items asked, each beside its list; return the tokens of those that nobody wanted meanwhile.

    `reason` is for managers.
    """
    project = question.project
    kind = Wanted.Kind.LISTED
    wanted = [Wanted(project=project, item_id=one.item_id, kind=kind, reason=reason[:300]) for one in lists]
    Wanted.objects.bulk_create(wanted, ignore_conflicts=True)
    items = [one.item_id for one in lists]
    ours = set(Wanted.objects.filter(item__in=items, kind=kind).values_list("item_id", flat=True))
    made = [
        Suggestion(
            project=project,
            item_id=one.item_id,
            question=question,
            labels=list(one.labels),
            token=one.token,
        )
        for one in lists
        if one.item_id in ours
    ]
    Suggestion.objects.bulk_create(made, ignore_conflicts=True)
    tokens = [one.token for one in made]
    return set(Suggestion.objects.filter(token__in=tokens).values_list("token", flat=True))


@transaction.atomic
def suggestions_withdraw(*, tokens: Sequence[UUID]) -> None:
    """Show these with no new lease, and want their items no more. Who sees one answers beside it still."""
    lists = Suggestion.objects.filter(token__in=tokens)
    lists.update(offered=False)
    others = Suggestion.objects.filter(item=OuterRef("item"), offered=True)
    listed = Wanted.objects.filter(kind=Wanted.Kind.LISTED, item__in=lists.values("item"))
    listed.exclude(Exists(others)).delete()
