"""What SoftMatch remembers between two steps."""

import copy

import torch

from learning.core.networks.classifier import Classifier
from learning.core.networks.network import Network

AVERAGED = 0.99  # of the teacher, each step
MOMENTUM = 0.9  # of the confidences' mean and variance
SHARPNESS = 2.0  # the Gaussian is this many times narrower than the confidences are spread


class SoftMatchHead(torch.nn.Module):
    """The student's head, the teacher, and what confidences have been like."""

    def __init__(self, network: Network, classifier: Classifier) -> None:
        super().__init__()
        self.student = classifier
        self.teacher: Network = copy.deepcopy(network).requires_grad_(False)
        self.teacher_head = copy.deepcopy(classifier).requires_grad_(False)
        self.mean: torch.Tensor
        self.variance: torch.Tensor
        self.steps: torch.Tensor
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("variance", torch.tensor(0.0))
        self.register_buffer("steps", torch.tensor(0))

    @torch.no_grad()
    def guesses(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The teacher's labels of (B, 3, S, S), and how much each counts: (B,) and (B,) in 0..1."""
        self.teacher.eval()
        proba = self.teacher_head(self.teacher.embed(x)).softmax(dim=1)
        confidence, hard = proba.max(dim=1)
        first = int(self.steps) <= 1
        self.mean.lerp_(confidence.mean(), 1.0 if first else 1 - MOMENTUM)
        self.variance.lerp_(confidence.var(), 1.0 if first else 1 - MOMENTUM)
        short = (self.mean - confidence).clamp(min=0)
        return hard, torch.exp(-(short.square()) * SHARPNESS**2 / (2 * self.variance.clamp(min=1e-8)))

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
