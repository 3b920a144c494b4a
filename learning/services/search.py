"""Search a big pool for what is worth ranking: map over its parts, by every worker that is free, and reduce.

The rows are the truth. The run's own worker takes part after part; a message invites others to do the same.
When no part is free it does not wait for those that others have begun, but searches them too (Dean and
Ghemawat 2004, section 3.6: backup tasks): what is found in a part depends on its search and number only, so
it does not matter who writes it, or whether another is killed.
"""

from collections.abc import Callable

import numpy as np
from django.db import transaction
from django.utils import timezone
from numpy.typing import NDArray
from safetensors.numpy import load, save
from threadpoolctl import threadpool_limits

from labelling.models import Item
from learning.core.committee import members_say
from learning.core.export import head_read, head_safetensors
from learning.core.methods import Head, softmax
from learning.core.pool import Pool
from learning.core.shard_scoring import Kept, PartScores, keep_best, score_part
from learning.core.strategies import STRATEGIES, Strategy
from learning.models import Search, SearchPart, TrainingRun
from learning.services.pool_embeddings import embeddings_open
from learning.services.snapshots import rows_of
from learning.services.work import WorkLost, work_owned

PART_ITEMS = 4096

AskForHelp = Callable[[int], None]  # told the id of a search


def pool_search(
    *, run: TrainingRun, screen: Strategy, keep: int, heads: list[Head], ask_for_help: AskForHelp
) -> tuple[Kept, int]:
    """The open items of the run's pool that `screen` finds best, and how many were looked at.

    `heads`: the model, then its committee; none before there is a model. Raises WorkLost.
    """
    search = _planned(run, screen, keep, heads)
    ask_for_help(search.pk)
    while True:
        part = _claimed(search.pk) or _unfinished(search.pk)
        if part is None:
            break
        _search(part)
        work_owned(run)
    # In the order of the parts, whoever was first.
    parts = [_read(found) for found in search.parts.values_list("found", flat=True)]
    kept = keep_best(parts, keep, np.random.default_rng([run.seed, 0]))
    return kept, sum(part.size for part in parts)


def search_help(*, search_id: int) -> None:
    """Search parts that nobody has begun, as long as there are any."""
    # As in training, more threads would wait for each other; what else the process does keeps its own.
    with threadpool_limits(limits=1, user_api="blas"):
        while (part := _claimed(search_id)) is not None:
            _search(part)


def search_end(*, run: TrainingRun) -> None:
    Search.objects.filter(run=run).delete()


@transaction.atomic
def _planned(run: TrainingRun, screen: Strategy, keep: int, heads: list[Head]) -> Search:
    """The run's search: what an attempt before this one has found stands, if it looked for the same."""
    work_owned(run)
    data = [head_safetensors(head) for head in heads]
    wanted = {"backbone": run.learner.backbone, "screen": screen.name, "keep": keep}
    for search in Search.objects.filter(run=run):
        if [bytes(head) for head in search.heads] == data and all(
            getattr(search, name) == value for name, value in wanted.items()
        ):
            return search
        search.delete()
    # One that a failed run left behind.
    Search.objects.filter(run__learner=run.learner_id).delete()
    search = Search.objects.create(run=run, heads=data, **wanted)
    ids = embeddings_open(project=run.project, backbone=run.learner.backbone).ids
    SearchPart.objects.bulk_create(
        SearchPart(
            search=search,
            number=number,
            first_item=ids[start],
            last_item=ids[min(start + PART_ITEMS, len(ids)) - 1],
        )
        for number, start in enumerate(range(0, len(ids), PART_ITEMS))
    )
    return search


def _claimed(search_id: int) -> SearchPart | None:
    """A part that nobody has begun, for the one caller that gets it."""
    free = SearchPart.objects.filter(search=search_id, claimed_at=None)
    while (part := free.select_related("search__run__project").first()) is not None:
        if free.filter(pk=part.pk).update(claimed_at=timezone.now()):
            return part
    return None


def _unfinished(search_id: int) -> SearchPart | None:
    """The part that another worker has been at for longest: it may have been killed."""
    begun = SearchPart.objects.filter(search=search_id, found=None).select_related("search__run__project")
    return begun.order_by("claimed_at").first()


def _search(part: SearchPart) -> None:
    search, run = part.search, part.search.run
    screen = STRATEGIES[search.screen]
    open_items = Item.objects.filter(
        project=run.project_id, split=Item.Split.POOL, open=True, id__range=(part.first_item, part.last_item)
    )
    embeddings = embeddings_open(project=run.project, backbone=search.backbone)
    ids = np.array(open_items.order_by("id").values_list("id", flat=True), np.int64)
    rows = rows_of(ids, embeddings.ids)
    ids, rows = ids[rows >= 0], rows[rows >= 0]
    pool = Pool(len(ids))
    if screen.needs:
        features = embeddings.take(rows)
        pool = part_pool(features, [head_read(bytes(head)) for head in search.heads])
    rng = np.random.default_rng([run.seed, 1 + part.number])
    scores = score_part(pool, screen, ids=ids, keep=search.keep, rng=rng)
    # A part that was found by another meanwhile, or is no longer wanted, stays as it is.
    SearchPart.objects.filter(pk=part.pk, found=None).update(found=_written(scores))


def part_pool(features: NDArray[np.float32], heads: list[Head]) -> Pool:
    """What the model and its committee say of features (n, D)."""
    model, *committee = heads
    return Pool(
        len(features),
        proba=softmax(model.logits(features)),
        committee=members_say(committee, features) if committee else None,
    )


def _written(scores: PartScores) -> bytes:
    return save(
        {
            "size": np.array([scores.size], np.int64),
            "best": scores.best,
            "scores": scores.scores,
            "drawn": scores.drawn,
        }
    )


def _read(data: bytes | memoryview | None) -> PartScores:
    if data is None:
        raise WorkLost("A part of the search is gone.")
    tensors = load(bytes(data))
    return PartScores(int(tensors["size"][0]), tensors["best"], tensors["scores"], tensors["drawn"])
