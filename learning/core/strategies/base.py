"""A query strategy ranks the pool: which items are worth asking a person next?"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from learning.core import registry
from learning.core.duplicates import copies
from learning.core.pool import Pool, Query

Choose = Callable[[Pool, int, np.random.Generator], Query]
Screen = Callable[[Pool, np.random.Generator], str]
FALLBACK = "random"
SHORT = 300  # places of a ranking, more than a round asks


@dataclass(frozen=True)
class Strategy:
    name: str
    title: str
    summary: str  # one sentence for the page that offers it: when it helps
    cost: str  # for the page too: how it grows with N items, K labels, D features, C models
    needs: frozenset[str]  # fields of Pool that must be there
    screen: Screen  # names the strategy that searches each part of a pool too big for one array
    choose: Choose


@dataclass(frozen=True)
class Selection:
    query: Query
    strategy: str  # the one that ranked
    requested: str
    reason: str


STRATEGIES: dict[str, Strategy] = {}


def strategy(
    name: str,
    *,
    title: str,
    summary: str,
    cost: str,
    needs: set[str] | None = None,
    screen: str | Screen | None = None,
) -> Callable[[Choose], Choose]:
    """Register a function as a strategy. It may rely on what `needs` names being there, finite and in shape,
    on 1 <= k <= pool.size, and must draw from the generator it is given only.

    Of a pool too big for one array, the strategy sees what `screen` finds best in each part: a strategy that
    scores every item by itself, or "random". Without it, the strategy is such a one and screens for itself.
    """

    def register(choose: Choose) -> Choose:
        wanted = frozenset(needs or ())

        def checked(pool: Pool, k: int, rng: np.random.Generator) -> Query:
            for field in sorted(wanted):
                _check(pool, field, name)
            k = min(k, pool.size)
            if k < 1:
                return Query(np.empty(0, np.int64), np.empty(0, np.float64))
            return choose(pool, k, rng)

        screens = screen if callable(screen) else lambda known, rng: screen or name
        registry.add(STRATEGIES, Strategy(name, title, summary, cost, wanted, screens, checked), "strategy")
        return choose

    return register


def _check(pool: Pool, field: str, name: str) -> None:
    value = getattr(pool, field)
    if value is None:
        raise ValueError(f"The strategy '{name}' needs the pool's {field}, which are not there.")
    _check_shape(pool, field)
    if not np.isfinite(value).all():
        raise ValueError(f"The pool's {field} hold values that are not a finite number.")
    if field in ("proba", "committee") and value.size and value.min() < 0:
        raise ValueError(f"The pool's {field} hold negative probabilities.")


def _check_shape(pool: Pool, field: str) -> None:
    value = getattr(pool, field)
    if value.ndim != (3 if field == "committee" else 2):
        raise ValueError(f"The pool's {field} have the wrong shape {value.shape}.")
    rows = value.shape[1] if field == "committee" else value.shape[0]
    if field != "labelled_embeddings" and rows != pool.size:
        raise ValueError(f"The pool has {pool.size} items but {field} of {rows}.")
    known = pool.labelled_embeddings
    if field == "embeddings" and known is not None and known.shape[1:] != value.shape[1:]:
        raise ValueError(
            f"The pool's embeddings have {value.shape[1]} features but the labelled ones {known.shape[1:]}."
        )


def screen_of(name: str, known: Pool, rng: np.random.Generator) -> Strategy:
    """The strategy to search each part of a big pool with, before `name` ranks what was found.

    `known` is a pool of no items, but with the fields that the parts will have and with what is labelled.
    """
    wanted = registry.find(STRATEGIES, name, "strategy")
    if any(getattr(known, field) is None for field in wanted.needs):
        wanted = STRATEGIES[FALLBACK]
    return STRATEGIES[wanted.screen(known, rng)]


def select(name: str, pool: Pool, k: int, rng: np.random.Generator) -> Selection:
    """Rank with the named strategy, or the fallback when the pool lacks what it needs; the reason says which.

    Where there are embeddings, near-copies of what is labelled or ranked before go to the end.
    Raises ValueError for an unknown name, NaN, or arrays that do not fit the pool's size.
    """
    wanted = registry.find(STRATEGIES, name, "strategy")
    missing = sorted(field for field in wanted.needs if getattr(pool, field) is None)
    used = STRATEGIES[FALLBACK] if missing else wanted
    query = _without_copies(used, pool, k, rng)
    reason = f"{used.title}: {query.note or used.summary}"
    if missing:
        lacking = " and ".join(field.replace("_", " ") for field in missing)
        reason = f"{used.title} instead of {wanted.title}, which needs {lacking} that are not there yet."
    if pool.size == 0:
        reason = "The pool is empty: there is nothing left to ask."
    return Selection(query, used.name, name, reason)


def _without_copies(used: Strategy, pool: Pool, k: int, rng: np.random.Generator) -> Query:
    query = used.choose(pool, k, rng)
    if pool.embeddings is None or len(query.indices) == 0:
        return query
    _check_shape(pool, "embeddings")
    copy = copies(pool.embeddings[query.indices], pool.labelled_embeddings)
    if k < SHORT and copy.any():
        query = used.choose(pool, k + SHORT, rng)  # so short a ranking has no end to send copies to
        copy = copies(pool.embeddings[query.indices], pool.labelled_embeddings)
    order = np.argsort(copy, kind="stable")[:k]
    return Query(query.indices[order], np.minimum.accumulate(query.scores[order]), query.note)
