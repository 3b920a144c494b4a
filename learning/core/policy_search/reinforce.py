from typing import TYPE_CHECKING

from learning.core.lazy import lazy
from learning.core.policy_search.base import search
from learning.core.policy_search.space import SearchSpace

if TYPE_CHECKING:
    import torch

    from learning.core.networks.policy_gradient import PolicyGradient

gradient = lazy("learning.core.networks.policy_gradient", often=False)


def expected(now: "torch.Tensor", before: "torch.Tensor", advantages: "torch.Tensor") -> "torch.Tensor":
    """Williams 1992: its gradient is that of the expected reward."""
    return -(advantages * now.sum(dim=1)).mean()


@search(
    "reinforce",
    title="Reinforcement learning (REINFORCE)",
    summary="the same controller, learning by one plain step a batch; simpler, and slower to learn.",
    learns=True,
)
def reinforce(space: SearchSpace, rate: float, seed: int) -> "PolicyGradient":
    made: PolicyGradient = gradient.PolicyGradient(space, rate, seed, surrogate=expected, updates=1)
    return made
