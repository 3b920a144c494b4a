"""A training that is only measured: its network is thrown away."""

from collections.abc import Callable, Sequence

import torch

from learning.core.networks.device import finished

Loss = Callable[[int], torch.Tensor]  # of so many pictures, drawn anew


class Rehearsal:
    """Its methods are what `learning.core.batch_size.choose` asks for."""

    def __init__(self, loss: Loss, learned: Sequence[torch.nn.Parameter], rate: float) -> None:
        self.loss, self.learned = loss, learned
        self.optimizer = torch.optim.AdamW(learned, lr=rate)

    def step(self, batch: int) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self.loss(batch))
        finished(self.learned[0].device)

    def gradient(self, batch: int) -> torch.Tensor:
        """(P,), of all that is learned."""
        self.step(batch)
        return torch.cat([self._of(one).flatten() for one in self.learned])

    def descend(self, gradient: torch.Tensor) -> None:
        for one, part in zip(
            self.learned, torch.split(gradient, [one.numel() for one in self.learned]), strict=True
        ):
            one.grad = part.view_as(one).clone()
        self.optimizer.step()

    def _of(self, one: torch.nn.Parameter) -> torch.Tensor:
        # What takes no part in this loss, such as a stage that is not trained yet, has none.
        return torch.zeros_like(one) if one.grad is None else one.grad
