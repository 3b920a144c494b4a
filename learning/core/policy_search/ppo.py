from typing import TYPE_CHECKING

from learning.core.lazy import lazy
from learning.core.policy_search.base import search
from learning.core.policy_search.space import SearchSpace

if TYPE_CHECKING:
    import torch

    from learning.core.networks.policy_gradient import PolicyGradient
else:
    torch = lazy("torch", often=False)

gradient = lazy("learning.core.networks.policy_gradient", often=False)

CLIP = 0.2
UPDATES = 10


def clipped(now: "torch.Tensor", before: "torch.Tensor", advantages: "torch.Tensor") -> "torch.Tensor":
    """Schulman et al. 2017, equation 7, of each choice."""
    ratio = (now - before).exp()
    advantage = advantages[:, None]
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage).sum(dim=1).mean()


@search(
    "ppo",
    title="Reinforcement learning (PPO)",
    summary="a recurrent controller writes policies and learns from each child's accuracy, as in "
    "AutoAugment; the default.",
    learns=True,
)
def ppo(space: SearchSpace, rate: float, seed: int) -> "PolicyGradient":
    made: PolicyGradient = gradient.PolicyGradient(space, rate, seed, surrogate=clipped, updates=UPDATES)
    return made
