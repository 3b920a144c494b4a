"""What SoftMatch remembers between two steps."""

import copy

import numpy as np
import torch
from numpy.typing import NDArray

from learning.core.networks.classifier import Classifier
from learning.core.networks.network import Network

AVERAGED = 0.99  # of the teacher, each step
MOMENTUM = 0.9  # of the confidences' mean and variance
SHARPNESS = 2.0  # the Gaussian is this many times narrower than the confidences are spread


class SoftMatchHead(torch.nn.Module):
    """The student's head, the teacher, and what its answers have been like. `classes`: those with labels."""

    def __init__(self, network: Network, classifier: Classifier, classes: NDArray[np.int64]) -> None:
        super().__init__()
        self.student = classifier
        self.teacher: Network = copy.deepcopy(network).requires_grad_(False)
        self.teacher_head = copy.deepcopy(classifier).requires_grad_(False)
        self.even: torch.Tensor  # (K,), the same for each class that has labels, of sum 1
        self.usual: torch.Tensor  # (K,), how likely the teacher finds each class on average
        self.mean: torch.Tensor
        self.variance: torch.Tensor
        self.steps: torch.Tensor
        even = torch.zeros(len(classifier.bias))
        even[torch.from_numpy(classes)] = 1 / len(classes)
        self.register_buffer("even", even)
        self.register_buffer("usual", even.clone())
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("variance", torch.tensor(0.0))
        self.register_buffer("steps", torch.tensor(0))

    @torch.no_grad()
    def guesses(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The teacher's labels of (B, 3, S, S), and how much each counts: (B,) and (B,) in 0..1.

        What counts is how sure the teacher is once its answers are aligned (section 3.3): else guesses of the
        classes that it finds easy are all that is learned from. The labels stay those it gave.
        """
        self.teacher.eval()
        proba = self.teacher_head(self.teacher.embed(x)).softmax(dim=1)
        step = 1.0 if int(self.steps) <= 1 else 1 - MOMENTUM
        self.usual.lerp_(proba.mean(dim=0), step)
        confidence = aligned(proba, self.even, self.usual).max(dim=1).values
        self.mean.lerp_(confidence.mean(), step)
        self.variance.lerp_(confidence.var(), step)
        short = (self.mean - confidence).clamp(min=0)
        weight = torch.exp(-(short.square()) * SHARPNESS**2 / (2 * self.variance.clamp(min=1e-8)))
        return proba.argmax(dim=1), weight

    @torch.no_grad()
    def follow(self, network: Network) -> None:
        """Move the teacher a little towards the student."""
        self.steps += 1
        # At the start there is little to average: the teacher follows faster.
        kept = min(AVERAGED, float(self.steps + 1) / float(self.steps + 10))
        pairs = [(self.teacher, network), (self.teacher_head, self.student)]
        for slow, fast in pairs:
            for one, other in zip(slow.state_dict().values(), fast.state_dict().values(), strict=True):
                if one.dtype.is_floating_point:
                    one.lerp_(other, 1 - kept)


def aligned(proba: torch.Tensor, even: torch.Tensor, usual: torch.Tensor) -> torch.Tensor:
    """Uniform alignment of (B, K): each class as likely, over many pictures, as any other, in rows of sum 1.

    A class without labels stays out of it: however seldom it is answered, it would be made as likely.
    """
    shifted = proba * even / usual.clamp(min=1e-8)
    return shifted / shifted.sum(dim=1, keepdim=True)
