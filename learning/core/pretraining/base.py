"""Learning features: from pictures, and from labels of some, a network is trained and becomes a backbone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from learning.core import registry
from learning.core.augmentation import Augment

if TYPE_CHECKING:
    import torch

    from learning.core.networks.network import Network

LACKING = {
    "own": "labels of two classes",
    "episodes": "a project, this or another, with two labelled images in each of two classes",
}


@dataclass(frozen=True)
class Answered:
    """Pictures that people labelled, of one question."""

    images: NDArray[np.uint8]  # (n, S, S, 3)
    labels: NDArray[np.int64]  # (n,)

    def classes(self, least: int = 1) -> NDArray[np.int64]:
        """The labels that so many pictures have, in order."""
        found, count = np.unique(self.labels, return_counts=True)
        return np.asarray(found[count >= least], np.int64)


@dataclass(frozen=True)
class Lessons:
    """What there is to learn from. All pictures are of one size S."""

    pool: NDArray[np.uint8]  # (N, S, S, 3)
    own: Answered | None = None  # of the pool's pictures
    others: tuple[Answered, ...] = ()  # of other projects

    def episodes(self) -> list[Answered]:
        """What tasks can be drawn from: other projects, else this one."""
        every = [*self.others, *([self.own] if self.own and not self.others else [])]
        return [one for one in every if len(one.classes(2)) > 1]

    def lacks(self, needs: frozenset[str]) -> str:
        """In words, what of `needs` is not there; "" when nothing lacks."""
        there = {
            "own": self.own is not None and len(self.own.classes()) > 1,
            "episodes": bool(self.episodes()),
        }
        return " and ".join(LACKING[need] for need in sorted(needs) if not there[need])


@dataclass(frozen=True)
class Step:
    """One step of training."""

    x: "torch.Tensor"  # (B, 3, S, S), in -1..1; empty for a way that draws for itself
    share: float  # of the training that is done, 0..1
    lessons: Lessons
    generator: "torch.Generator"  # all that is drawn is drawn from it
    augment: Augment | None = None  # what the project chose; None: views
    batch: int = 0  # of a way that draws for itself


# A head for the network, made before training; the loss of a step; what becomes the backbone.
Head = Callable[["Network", Lessons], "torch.nn.Module"]
Loss = Callable[["Network", "torch.nn.Module", Step], "torch.Tensor"]
Result = Callable[["Network", "torch.nn.Module"], "Network"]
Solve = Callable[[Lessons], "Network"]


@dataclass(frozen=True)
class Loop:
    """How a way is trained step by step."""

    head: Head
    loss: Loss
    result: Result
    batch: int
    looked_at: int  # pictures in all, when `epochs` is not given
    draws: bool  # it draws its own batches, and an epoch is EPOCH_STEPS of them
    rate: float
    least: int | None  # the smallest batch that makes sense; None: it has no batch to choose
    decay: float  # the rate of a stage, in that of the next deeper one


@dataclass(frozen=True)
class Pretraining:
    name: str
    title: str
    summary: str  # one sentence for the page that offers it: when it helps
    needs: frozenset[str]  # of LACKING; whoever needs labels goes on from a backbone, the others begin anew
    how: Loop | Solve

    @property
    def from_labels(self) -> bool:
        return bool(self.needs)

    @property
    def has_batch(self) -> bool:
        """Whether there is a batch to choose."""
        return isinstance(self.how, Loop) and self.how.least is not None

    @property
    def draws(self) -> bool:
        return isinstance(self.how, Loop) and self.how.draws


PRETRAININGS: dict[str, Pretraining] = {}


def pretraining(
    name: str,
    *,
    title: str,
    summary: str,
    head: Head,
    needs: set[str] | None = None,
    result: Result = lambda network, head: network,
    batch: int = 256,
    looked_at: int = 60_000,
    draws: bool = False,
    rate: float = 2e-3,
    least: int | None = 8,
    decay: float = 1.0,
) -> Callable[[Loss], Loss]:
    """Register a loss. It draws from the step's generator only; what it remembers are its head's buffers."""

    def register(loss: Loss) -> Loss:
        how = Loop(head, loss, result, batch, looked_at, draws, rate, least, decay)
        entry = Pretraining(name, title, summary, frozenset(needs or ()), how)
        registry.add(PRETRAININGS, entry, "pretraining")
        return loss

    return register


def closed_form(name: str, *, title: str, summary: str) -> Callable[[Solve], Solve]:
    """Register a way that needs no steps: from the pool's pictures to the network."""

    def register(solve: Solve) -> Solve:
        registry.add(PRETRAININGS, Pretraining(name, title, summary, frozenset(), solve), "pretraining")
        return solve

    return register
