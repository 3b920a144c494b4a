"""Policy gradients over the controller's choices."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from learning.core.networks.controller import Controller
from learning.core.policy_search.space import Choices, SearchSpace

BASELINE = 0.95  # of the moving average of rewards, a trial, as in Cubuk et al. 2018
ENTROPY = 1e-5  # likewise
LEAST_SPREAD = 1e-3  # of rewards; less is noise

# The logarithms of probabilities (n, T) now and when drawn, and advantages (n,) -> the loss
Surrogate = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


class PolicyGradient:
    """Learns from each batch of rewards by `updates` steps of Adam on a surrogate loss.

    The advantage is the reward's distance to its moving average, in standard deviations of such distances:
    rewards of policies differ by a point or two, and the learning rate should not have to know by how much.
    """

    def __init__(
        self, space: SearchSpace, rate: float, seed: int, *, surrogate: Surrogate, updates: int
    ) -> None:
        self.surrogate, self.updates = surrogate, updates
        self.generator = torch.Generator().manual_seed(seed)
        self.controller = Controller(space, self.generator)
        self.optimizer = torch.optim.Adam(self.controller.parameters(), lr=rate)
        self.baseline = MovingBaseline()

    def ask(self, count: int) -> list[Choices]:
        return self.controller.draw(count, self.generator)

    def tell(self, proposals: Sequence[Choices], rewards: NDArray[np.float64]) -> None:
        advantages = torch.from_numpy(self.baseline.advantages(rewards)).float()
        with torch.no_grad():
            before, _ = self.controller.likelihood(proposals)
        for _ in range(self.updates):
            now, entropy = self.controller.likelihood(proposals)
            loss = self.surrogate(now, before, advantages) - ENTROPY * entropy.sum(dim=1).mean()
            self.optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(self.controller.parameters(), 1.0)
            self.optimizer.step()


class MovingBaseline:
    """The moving average of rewards and of their squared distances to it."""

    def __init__(self) -> None:
        self.mean: float | None = None
        self.variance = 0.0

    def advantages(self, rewards: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,), by what was known before them; then they are known."""
        mean = float(rewards.mean()) if self.mean is None else self.mean
        variance = float(rewards.var()) if self.mean is None else self.variance
        found = (rewards - mean) / max(float(np.sqrt(variance)), LEAST_SPREAD)
        for reward in map(float, rewards):
            variance = BASELINE * variance + (1 - BASELINE) * (reward - mean) ** 2
            mean = BASELINE * mean + (1 - BASELINE) * reward
        self.mean, self.variance = mean, variance
        return np.clip(found, -3.0, 3.0)
