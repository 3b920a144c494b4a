"""The embedding shards' rows: planned, sent, claimed, reported on, published. `embeddings` does the work."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from labelling.models import Item
from learning.models import EmbeddingShard, Learner, QuantisedBackbone, Work

SHARD_ITEMS = 2048
# An import that is under way brings more: a part of a shard is planned once nothing has come for this long.
SETTLED = timedelta(seconds=2)
# A claim without progress for this long belongs to a worker that is gone.
STALE = timedelta(seconds=60)
# A message may get lost: it is valid this long, then another one is sent.
RESEND = timedelta(seconds=5)
# Messages under way at a time, whatever the size of the pool.
IN_FLIGHT = 32


def shards_plan() -> None:
    """Plan shards for the items that no shard covers yet, of every project that learns.

    A project's items get their ids under its import lock, held until they are committed: so they come in the
    order of their ids, and none with a smaller id can still be on its way.
    """
    newest = Item.objects.filter(project=OuterRef("project")).order_by("-id").values("id")[:1]
    covered = (
        EmbeddingShard.objects.filter(project=OuterRef("project"), backbone=OuterRef("backbone"))
        .order_by("-number")
        .values("last_item")[:1]
    )
    wanting = (
        Learner.objects.filter(enabled=True)
        .annotate(newest=Subquery(newest), covered=Subquery(covered))
        .filter(Q(newest__gt=F("covered")) | Q(covered__isnull=True, newest__isnull=False))
        .values_list("project_id", "backbone", "newest")
        .distinct()
    )
    for project_id, backbone, newest_id in wanting:
        _plan(Item.objects.filter(project=project_id), project_id, backbone, newest_id)


def holdout_shards_plan() -> None:
    """Plan shards of the hold-out alone for the int8 backbones of models in use."""
    holdout = Item.objects.filter(project=OuterRef("project"), split=Item.Split.HOLDOUT)
    shards = EmbeddingShard.objects.filter(project=OuterRef("project"), backbone=OuterRef("name"))
    used = Learner.objects.filter(enabled=True, project=OuterRef("project"), backbone=OuterRef("backbone"))
    wanting = (
        QuantisedBackbone.objects.filter(Exists(used), state=Work.State.DONE)
        .annotate(newest=Subquery(holdout.order_by("-id").values("id")[:1]))
        .annotate(covered=Subquery(shards.order_by("-number").values("last_item")[:1]))
        .filter(Q(newest__gt=F("covered")) | Q(covered__isnull=True, newest__isnull=False))
    )
    for project_id, name, newest_id in wanting.values_list("project_id", "name", "newest"):
        items = Item.objects.filter(project=project_id, split=Item.Split.HOLDOUT)
        _plan(items, project_id, name, newest_id)


def _plan(items: QuerySet[Item], project_id: int, backbone: str, newest_id: int) -> None:
    settled_before = timezone.now() - SETTLED
    still_coming = Item.objects.filter(pk=newest_id, created_at__gt=settled_before).exists()
    while _plan_one(items, project_id, backbone, still_coming):
        pass


def _plan_one(items: QuerySet[Item], project_id: int, backbone: str, still_coming: bool) -> bool:
    """Plan the next shard; False when there is nothing more to plan now."""
    last = EmbeddingShard.objects.filter(project=project_id, backbone=backbone).aggregate(
        item=Max("last_item"), number=Max("number")
    )
    after = items.filter(id__gt=last["item"] or 0).order_by("id")
    ids = list(after.values_list("id", flat=True)[:SHARD_ITEMS])
    full = len(ids) == SHARD_ITEMS
    if not ids or (still_coming and not full):
        return False
    shard = EmbeddingShard(
        project_id=project_id,
        backbone=backbone,
        number=0 if last["number"] is None else last["number"] + 1,
        item_ids=ids,
        first_item=ids[0],
        last_item=ids[-1],
    )
    # Another process may plan the same one now: the unique constraints keep a single row.
    EmbeddingShard.objects.bulk_create([shard], ignore_conflicts=True)
    return full


def shards_to_send() -> list[int]:
    """The shards whose embedding a worker must be asked for now; each is given out once in RESEND."""
    now = timezone.now()
    waiting = (
        EmbeddingShard.objects.filter(path="")
        .order_by("id")
        .values_list("id", "claimed_at", "enqueued_at")[:IN_FLIGHT]
    )
    sent = []
    for pk, claimed_at, enqueued_at in waiting:
        claimed = claimed_at is not None and claimed_at > now - STALE
        under_way = enqueued_at is not None and enqueued_at > now - RESEND
        if claimed or under_way:
            continue
        # Only one of the ticks that see it sends it.
        sent += [pk] * EmbeddingShard.objects.filter(pk=pk, enqueued_at=enqueued_at).update(enqueued_at=now)
    return sent


def shard_claim(*, shard_id: int) -> EmbeddingShard | None:
    """The shard, for the one worker that gets it; None if it is done, gone or another worker's."""
    now = timezone.now()
    free = Q(claimed_at__isnull=True) | Q(claimed_at__lte=now - STALE)
    claimed = EmbeddingShard.objects.filter(free, pk=shard_id, path="").update(claimed_at=now, progress=0)
    return EmbeddingShard.objects.filter(pk=shard_id).first() if claimed else None


def shard_progress(*, shard: EmbeddingShard, done: int) -> bool:
    """Say how far it is, which also renews the claim. False when the shard is no longer wanted."""
    return bool(
        EmbeddingShard.objects.filter(pk=shard.pk, path="").update(progress=done, claimed_at=timezone.now())
    )


def shard_release(*, shard: EmbeddingShard, error: str) -> None:
    """Give a failed attempt back, with the reason; it is tried again after RESEND."""
    EmbeddingShard.objects.filter(pk=shard.pk, path="").update(
        claimed_at=None, error=error[:500], enqueued_at=timezone.now()
    )


def shard_publish(
    *, shard: EmbeddingShard, item_ids: list[int], failed_ids: list[int], path: str, digest: str
) -> bool:
    """Make the embeddings visible, once, and ask for a ranking that knows the new items."""
    with transaction.atomic():
        published = EmbeddingShard.objects.filter(pk=shard.pk, path="").update(
            path=path,
            digest=digest,
            item_ids=item_ids,
            failed_ids=failed_ids,
            progress=len(item_ids) + len(failed_ids),
            error="",
        )
        if published:
            Learner.objects.filter(project=shard.project_id, backbone=shard.backbone).update(
                requested_at=timezone.now()
            )
    return bool(published)
