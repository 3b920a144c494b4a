from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from learning.core.policy_search.base import drawn, search
from learning.core.policy_search.space import Choices, SearchSpace

BEGINNING = 20  # proposals drawn evenly first, as in Bergstra et al.'s own code
GOOD = 0.25  # the share of proposals that counts as good
CANDIDATES = 24


class _ParzenTree:
    """The tree-structured Parzen estimator (Bergstra et al. 2011, section 4) over choices: of candidates
    drawn from what good proposals chose, the one whose choices are the most typical of good ones.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self.space, self.rng = space, np.random.default_rng(seed)
        self.proposals: list[Choices] = []
        self.rewards: list[float] = []

    def ask(self, count: int) -> list[Choices]:
        if len(self.proposals) < BEGINNING:
            return drawn(self.space, count, self.rng)
        order = np.argsort(-np.array(self.rewards), kind="stable")
        best = max(1, round(GOOD * len(order)))
        good, others = self._shares(order[:best]), self._shares(order[best:])
        return [self._candidate(good, others) for _ in range(count)]

    def tell(self, proposals: Sequence[Choices], rewards: NDArray[np.float64]) -> None:
        self.proposals += proposals
        self.rewards += map(float, rewards)

    def _shares(self, rows: NDArray[np.int64]) -> list[NDArray[np.float64]]:
        """How often each choice was taken, with one more of each."""
        taken = np.array([self.proposals[row] for row in rows])
        counts = [np.bincount(taken[:, place], minlength=size) + 1.0 for place, size in _numbered(self.space)]
        return [count / count.sum() for count in counts]

    def _candidate(self, good: list[NDArray[np.float64]], others: list[NDArray[np.float64]]) -> Choices:
        drawn_ones = np.stack([self.rng.choice(len(one), CANDIDATES, p=one) for one in good], axis=1)
        typical = sum(
            np.log(one[drawn_ones[:, place]]) - np.log(other[drawn_ones[:, place]])
            for place, (one, other) in enumerate(zip(good, others, strict=True))
        )
        return tuple(map(int, drawn_ones[int(np.argmax(typical))]))


def _numbered(space: SearchSpace) -> list[tuple[int, int]]:
    return list(enumerate(space.sizes))


@search(
    "density-matching",
    title="Density matching",
    summary="trains no child a trial: looks for changes after which a network still recognises pictures it "
    "has not learned from (Fast AutoAugment); many times quicker.",
    judged="density",
)
def density_matching(space: SearchSpace, rate: float, seed: int) -> _ParzenTree:
    """Lim et al. 2019, algorithm 1: Bayesian optimisation of equation 2."""
    return _ParzenTree(space, seed)
