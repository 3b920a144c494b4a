"""A search proposes policies and is told what each was worth; who finds out is not its concern."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from learning.core import registry
from learning.core.policy_search.space import Choices, SearchSpace

# How a proposal is judged: a child network is trained with it, or one trained without any looks at pictures
# changed by it.
Judged = Literal["child", "density"]


class Searcher(Protocol):
    def ask(self, count: int) -> list[Choices]:
        """So many proposals. They depend on the seed and on what was asked and told before."""
        ...

    def tell(self, proposals: Sequence[Choices], rewards: NDArray[np.float64]) -> None:
        """What they were worth, (count,), each in 0..1."""
        ...


# space, learning rate, seed
Begin = Callable[[SearchSpace, float, int], Searcher]


@dataclass(frozen=True)
class Search:
    name: str
    title: str
    summary: str  # one sentence for the page that offers it
    judged: Judged
    learns: bool  # whether it has a learning rate
    begin: Begin


SEARCHES: dict[str, Search] = {}


def search(
    name: str, *, title: str, summary: str, judged: Judged = "child", learns: bool = False
) -> Callable[[Begin], Begin]:
    def register(begin: Begin) -> Begin:
        registry.add(SEARCHES, Search(name, title, summary, judged, learns, begin), "search")
        return begin

    return register


def drawn(space: SearchSpace, count: int, rng: np.random.Generator) -> list[Choices]:
    """So many policies, evenly."""
    sizes = np.array(space.sizes)
    return [tuple(map(int, rng.integers(sizes))) for _ in range(count)]
