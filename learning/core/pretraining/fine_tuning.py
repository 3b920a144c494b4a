from typing import TYPE_CHECKING

import numpy as np

from learning.core.lazy import lazy
from learning.core.methods import METHODS, TrainingData
from learning.core.pretraining.base import Lessons, Step, pretraining

if TYPE_CHECKING:
    import torch

    from learning.core.networks.network import Network
else:
    torch = lazy("torch", often=False)

classifier = lazy("learning.core.networks.classifier", often=False)
networks = lazy("learning.core.networks.network", often=False)
views = lazy("learning.core.networks.views", often=False)

BATCH = 32
SMOOTHING = 0.05


def linear_head(network: "Network", lessons: Lessons) -> "torch.nn.Module":
    """Linear probing first (Kumar et al. 2022): a head that starts at random would wreck the features."""
    own = lessons.own
    if own is None:
        raise ValueError("Fine-tuning needs labels.")
    data = TrainingData(classifier.embedded(network, own.images), own.labels, int(own.labels.max()) + 1)
    head: torch.nn.Module = classifier.Classifier(METHODS["transfer"].fit(data, {}, np.random.default_rng(0)))
    return head


def drawn(
    lessons: Lessons, count: int, generator: "torch.Generator"
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """`count` labelled pictures (B, 3, S, S) and their labels (B,)."""
    own = lessons.own
    if own is None:
        raise ValueError("There are no labelled pictures to draw from.")
    rows = torch.randint(len(own.labels), (count,), generator=generator)
    images, labels = own.images[rows.numpy()], own.labels[rows.numpy()]
    return networks.pixels(torch.from_numpy(images)), torch.from_numpy(labels)


@pretraining(
    "fine-tuning",
    title="Fine-tuning",
    summary="trains the features in use further, on the labels; helps with some hundred labels of "
    "pictures unlike those the features come from.",
    needs={"own"},
    head=linear_head,
    batch=BATCH,
    looked_at=6_400,
    draws=True,
    rate=1e-3,
    decay=0.4,
)
def fine_tuning(network: "Network", head: "torch.nn.Module", step: Step) -> "torch.Tensor":
    """Discriminative rates and gradual unfreezing (Howard and Ruder 2018): the head first, then one stage
    more with each equal part of the training, from the deepest on.
    """
    stages = list(network.stages)
    open_stages = int(step.share * (len(stages) + 1))
    for depth, stage in enumerate(reversed(stages)):
        stage.requires_grad_(depth < open_stages)
    # The statistics of normalisation stay those of the many pictures they were taken of.
    network.eval()
    x, labels = drawn(step.lessons, step.batch, step.generator)
    seen = views.augmented(x, step.augment, step.generator)
    logits = head(network.embed(network.put(seen)))
    return torch.nn.functional.cross_entropy(logits, network.put(labels), label_smoothing=SMOOTHING)
