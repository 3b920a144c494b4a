from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from learning.core.policy_search.base import drawn, search
from learning.core.policy_search.space import Choices, SearchSpace


class _Random:
    def __init__(self, space: SearchSpace, seed: int) -> None:
        self.space, self.rng = space, np.random.default_rng(seed)

    def ask(self, count: int) -> list[Choices]:
        return drawn(self.space, count, self.rng)

    def tell(self, proposals: Sequence[Choices], rewards: NDArray[np.float64]) -> None:
        """It does not learn."""


@search("random", title="Random search", summary="draws every policy evenly; what the others must beat.")
def random(space: SearchSpace, rate: float, seed: int) -> _Random:
    return _Random(space, seed)
