from typing import TYPE_CHECKING, cast

import numpy as np

from learning.core.lazy import lazy
from learning.core.methods import METHODS, TrainingData
from learning.core.pretraining.base import Lessons, Step, pretraining
from learning.core.pretraining.fine_tuning import SMOOTHING, drawn

if TYPE_CHECKING:
    import torch

    from learning.core.networks.network import Network
    from learning.core.networks.softmatch import SoftMatchHead
else:
    torch = lazy("torch", often=False)

classifier = lazy("learning.core.networks.classifier", often=False)
parts = lazy("learning.core.networks.softmatch", often=False)
views = lazy("learning.core.networks.views", often=False)

LABELLED = 32  # in a step, beside the unlabelled
UNLABELLED = 5_000  # looked at by the head that begins


def two_networks(network: "Network", lessons: Lessons) -> "torch.nn.Module":
    """A student's head and a teacher: both begin as self-training leaves the features in use. As any head, it
    is drawn from torch's generator, which has the run's seed.
    """
    own = lessons.own
    if own is None:
        raise ValueError("SoftMatch needs labels.")
    pool = lessons.pool
    rng = np.random.default_rng(int(torch.randint(2**62, ())))
    rows = np.sort(rng.permutation(len(pool))[:UNLABELLED])
    data = TrainingData(
        classifier.embedded(network, own.images),
        own.labels,
        int(own.labels.max()) + 1,
        unlabelled=classifier.embedded(network, pool[rows]),
    )
    head = METHODS["self-training"].fit(data, {}, rng)
    made: torch.nn.Module = parts.SoftMatchHead(network, classifier.Classifier(head), own.classes())
    return made


def teacher(network: "Network", head: "torch.nn.Module") -> "Network":
    return cast("SoftMatchHead", head).teacher


@pretraining(
    "softmatch",
    title="SoftMatch",
    summary="trains the features in use further, on the labels and on its own guesses about all "
    "other pictures; helps most with few labels and many pictures.",
    needs={"own"},
    head=two_networks,
    result=teacher,
    batch=128,
    looked_at=38_400,
    rate=1e-3,
)
def softmatch(network: "Network", head: "torch.nn.Module", step: Step) -> "torch.Tensor":
    """Chen et al. 2023, equations 5-8: every guess counts, by a truncated Gaussian of its confidence, whose
    mean and variance are those of the batches so far, after uniform alignment (section 3.3). The guesses are
    those of an averaged teacher (Tarvainen and Valpola 2017) on the plain picture, and are learned on another
    view of it.
    """
    both_networks = cast("SoftMatchHead", head)
    both_networks.follow(network)
    hard, weight = both_networks.guesses(network.put(step.x))
    x, labels = drawn(step.lessons, LABELLED, step.generator)
    both = views.augmented(torch.cat([x, step.x]), step.augment, step.generator)
    logits = both_networks.student(network.embed(network.put(both)))
    entropy = torch.nn.functional.cross_entropy
    supervised = entropy(logits[:LABELLED], network.put(labels), label_smoothing=SMOOTHING)
    guessed = (weight * entropy(logits[LABELLED:], hard, reduction="none")).mean()
    return supervised + guessed
