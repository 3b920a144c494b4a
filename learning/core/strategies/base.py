"""A query strategy ranks the pool: which items are worth asking a person next?"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from learning.core import registry
from learning.core.pool import Pool, Query

Choose = Callable[[Pool, int, np.random.Generator], Query]
FALLBACK = "random"


@dataclass(frozen=True)
class Strategy:
    name: str
    title: str
    summary: str  # one sentence for the page that offers it: when it helps
    needs: frozenset[str]  # fields of Pool that must be there
    choose: Choose


@dataclass(frozen=True)
class Selection:
    query: Query
    strategy: str  # the one that ranked
    requested: str
    reason: str


STRATEGIES: dict[str, Strategy] = {}


def strategy(
    name: str, *, title: str, summary: str, needs: set[str] | None = None
) -> Callable[[Choose], Choose]:
    """Register a function as a strategy. It may rely on what `needs` names being there, finite and in shape,
    on 1 <= k <= pool.size, and must draw from the generator it is given only.
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

        registry.add(STRATEGIES, Strategy(name, title, summary, wanted, checked), "strategy")
        return choose

    return register


def _check(pool: Pool, field: str, name: str) -> None:
    value = getattr(pool, field)
    if value is None:
        raise ValueError(f"The strategy '{name}' needs the pool's {field}, which are not there.")
    if value.ndim != (3 if field == "committee" else 2):
        raise ValueError(f"The pool's {field} have the wrong shape {value.shape}.")
    rows = value.shape[1] if field == "committee" else value.shape[0]
    if field != "labelled_embeddings" and rows != pool.size:
        raise ValueError(f"The pool has {pool.size} items but {field} of {rows}.")
    if not np.isfinite(value).all():
        raise ValueError(f"The pool's {field} hold values that are not a finite number.")
    if field in ("proba", "committee") and value.size and value.min() < 0:
        raise ValueError(f"The pool's {field} hold negative probabilities.")


def select(name: str, pool: Pool, k: int, rng: np.random.Generator) -> Selection:
    """Rank with the named strategy, or the fallback when the pool lacks what it needs; the reason says which.

    Raises ValueError for an unknown name, NaN, or arrays that do not fit the pool's size.
    """
    wanted = registry.find(STRATEGIES, name, "strategy")
    missing = sorted(field for field in wanted.needs if getattr(pool, field) is None)
    used = STRATEGIES[FALLBACK] if missing else wanted
    reason = f"{used.title}: {used.summary}"
    if missing:
        lacking = " and ".join(field.replace("_", " ") for field in missing)
        reason = f"{used.title} instead of {wanted.title}, which needs {lacking} that are not there yet."
    if pool.size == 0:
        reason = "The pool is empty: there is nothing left to ask."
    return Selection(used.choose(pool, k, rng), used.name, name, reason)
