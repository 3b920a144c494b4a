"""A recurrent network that writes policies (Zoph and Le 2017; Cubuk et al. 2018, section 4)."""

from collections.abc import Sequence

import torch
from torch.nn import functional

from learning.core.policy_search.space import Choices, SearchSpace

HIDDEN = 100
KINDS = 3  # operation, probability, magnitude

State = tuple[torch.Tensor, torch.Tensor]


class Controller(torch.nn.Module):
    """One-layer LSTM(100): every choice is a softmax and the next step's input.

    The three kinds of choices have one softmax layer each, used again for every operation of a policy: what
    is learned of an operation at one place is known at the others, which some hundred trials need.
    """

    def __init__(self, space: SearchSpace, generator: torch.Generator) -> None:
        super().__init__()
        kinds = space.sizes[:KINDS]
        self.steps = len(space.sizes)
        self.begin = torch.nn.Parameter(torch.zeros(1, HIDDEN))
        self.cell = torch.nn.LSTMCell(HIDDEN, HIDDEN)
        self.known = torch.nn.ModuleList(torch.nn.Embedding(size, HIDDEN) for size in kinds)
        self.heads = torch.nn.ModuleList(torch.nn.Linear(HIDDEN, size) for size in kinds)
        for one in self.parameters():
            torch.nn.init.uniform_(one, -0.1, 0.1, generator)

    @torch.no_grad()
    def draw(self, count: int, generator: torch.Generator) -> list[Choices]:
        state, x = self._start(count)
        taken = []
        for place in range(self.steps):
            logits, state = self._step(place, x, state)
            choice = torch.multinomial(logits.softmax(dim=1), 1, generator=generator)[:, 0]
            x = self.known[place % KINDS](choice)
            taken.append(choice)
        return [tuple(row) for row in torch.stack(taken, dim=1).tolist()]

    def likelihood(self, proposals: Sequence[Choices]) -> tuple[torch.Tensor, torch.Tensor]:
        """Of each choice the logarithm of its probability and the entropy it is drawn with, (n, T) each."""
        given = torch.tensor(proposals)
        state, x = self._start(len(given))
        chosen, entropy = [], []
        for place in range(self.steps):
            logits, state = self._step(place, x, state)
            log_proba = functional.log_softmax(logits, dim=1)
            chosen.append(log_proba.gather(1, given[:, place : place + 1])[:, 0])
            entropy.append(-(log_proba.exp() * log_proba).sum(dim=1))
            x = self.known[place % KINDS](given[:, place])
        return torch.stack(chosen, dim=1), torch.stack(entropy, dim=1)

    def _start(self, count: int) -> tuple[State, torch.Tensor]:
        zero = torch.zeros(count, HIDDEN)
        return (zero, zero), self.begin.expand(count, -1)

    def _step(self, place: int, x: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        state = self.cell(x, state)
        return self.heads[place % KINDS](state[0]), state
