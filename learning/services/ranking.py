"""Rank what is open in a pool, by the learner's strategy, with the model's suggestion for each item."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from labelling.models import Label
from labelling.selectors import open_pool_ids
from labelling.services.queue import RankedItem
from learning.core.candidates import NARROW, SMALL
from learning.core.committee import members_say
from learning.core.methods import Head, softmax
from learning.core.pool import Pool
from learning.core.strategies import Selection, screen_of, select
from learning.models import TrainingRun
from learning.services.pool_embeddings import embeddings_open
from learning.services.search import AskForHelp, pool_search
from learning.services.snapshots import rows_of

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Model:
    head: Head
    committee: list[Head]  # none if the strategy needs none
    classes: list[Label]
    temperature: float


@dataclass(frozen=True)
class Known:
    """The labelled items of the pool."""

    embeddings: NDArray[np.float32]  # (L, D)
    labels: NDArray[np.int64]  # (L,)


@dataclass(frozen=True)
class Ranking:
    selection: Selection
    entries: list[RankedItem]
    candidates: int  # items that could be asked


def pool_rank(
    *,
    run: TrainingRun,
    known: Known,
    model: Model | None,
    rng: np.random.Generator,
    ask_for_help: AskForHelp,
) -> Ranking:
    """The learner's queue. Before there is a model, a strategy that covers the pool can rank it, others not.

    A pool of more than SMALL items is searched in parts, and the strategy ranks what they found. Raises
    WorkLost.
    """
    learner = run.learner
    count = len(embeddings_open(project=run.project, backbone=learner.backbone).ids)
    drawn: Ids | None = None
    if count <= SMALL:
        ids = np.array(open_pool_ids(run.project), np.int64)
        candidates = 0
    else:
        heads = [model.head, *model.committee] if model else []
        kept, candidates = pool_search(
            run=run,
            screen=screen_of(learner.strategy, _nothing(known, model), np.random.default_rng(run.seed)),
            keep=max(NARROW, learner.queue_length),
            heads=heads,
            ask_for_help=ask_for_help,
        )
        ids, drawn = kept.ids, kept.drawn
    # Opened only now: what another worker's search found may have been embedded a moment ago.
    embeddings = embeddings_open(project=run.project, backbone=learner.backbone)
    rows = rows_of(ids, embeddings.ids)
    if drawn is None:
        ids, rows = ids[rows >= 0], rows[rows >= 0]
        candidates = len(ids)
    features = embeddings.take(rows)  # (M, D)
    pool = replace(_pool(features, known, model), drawn=drawn)
    selection = select(learner.strategy, pool, learner.queue_length, rng)
    chosen = selection.query.indices  # (k,)
    scores = selection.query.scores.tolist()
    items = ids[chosen].tolist()
    # Only a random ranking is drawn; all others pick, and nobody knows the chance an item had.
    by_chance = selection.strategy == "random" and drawn is None
    inclusion = len(items) / len(ids) if by_chance and items else None
    if model is None or pool.proba is None:
        entries = [
            RankedItem(item, score, inclusion=inclusion) for item, score in zip(items, scores, strict=True)
        ]
        return Ranking(selection, entries, candidates)
    best = pool.proba[chosen].argmax(axis=1) if len(chosen) else chosen
    # Fitted on the hold-out, the temperature says how sure a suggestion is; no strategy may see it.
    logits = np.log(np.maximum(pool.proba[chosen], 1e-300))  # but for a constant, which softmax takes away
    sure = softmax(logits / model.temperature)[np.arange(len(chosen)), best]
    labels = np.array([label.pk for label in model.classes])[best].tolist()
    told = zip(items, scores, labels, sure.tolist(), strict=True)
    entries = [RankedItem(*entry, inclusion=inclusion) for entry in told]
    return Ranking(selection, entries, candidates)


def _pool(features: NDArray[np.float32], known: Known, model: Model | None) -> Pool:
    """Everything a strategy may ask of items with these features (n, D)."""
    labelled = len(known.labels) > 0
    pool = Pool(
        size=len(features),
        embeddings=features,
        labelled_embeddings=known.embeddings if labelled else None,
        labelled_labels=known.labels if labelled else None,
    )
    if model is None:
        return pool
    return replace(
        pool,
        proba=softmax(model.head.logits(features)),
        committee=members_say(model.committee, features) if model.committee else None,
    )


def _nothing(known: Known, model: Model | None) -> Pool:
    """A pool of no items that has what the real one will have."""
    return _pool(np.empty((0, known.embeddings.shape[1]), np.float32), known, model)
