from typing import TYPE_CHECKING

from learning.core.lazy import lazy
from learning.core.pretraining.base import Answered, Lessons, Step, pretraining

if TYPE_CHECKING:
    import torch

    from learning.core.networks.network import Network
else:
    torch = lazy("torch", often=False)

networks = lazy("learning.core.networks.network", often=False)
views = lazy("learning.core.networks.views", often=False)

WAYS = 10  # classes of an episode, at most
SHOTS = 5  # labelled pictures a class, at most
QUERIES = 5  # pictures a class that are asked, at most
INNER_STEPS, INNER_RATE = 5, 0.1
SHARPNESS = 10.0


def nothing(network: "Network", lessons: Lessons) -> "torch.nn.Module":
    """The head of an episode is made for it, and gone with it."""
    return torch.nn.Identity()


@pretraining(
    "meta-learning",
    title="Meta-learning (ANIL)",
    summary="trains the features in use to tell new classes apart from a few labels, on the labels of this "
    "installation's other projects; helps a new project whose pictures are like those of others.",
    needs={"episodes"},
    head=nothing,
    batch=WAYS * (SHOTS + QUERIES),
    looked_at=20_000,
    draws=True,
    least=None,
    rate=3e-4,
    decay=0.5,
)
def meta_learning(network: "Network", head: "torch.nn.Module", step: Step) -> "torch.Tensor":
    """Almost no inner loop (Raghu et al. 2020): for each episode the head alone adapts to a few labelled
    pictures, by gradient steps that are differentiated; the features are trained to be good for that.

    An episode's head begins as the classes' means, as in Proto-MAML (Triantafillou et al. 2020, equation 3):
    so episodes may have different numbers of classes.
    """
    network.eval()
    x, labels, shots = episode(step.lessons, step.generator)
    seen = views.augmented(x, step.augment, step.generator)
    z = torch.nn.functional.normalize(network.embed(network.put(seen)), dim=1)
    classes, labels = int(labels.max()) + 1, network.put(labels)
    known, asked = z[:shots], z[shots:]
    weight, bias = prototypes(known, labels[:shots], classes)
    for _ in range(INNER_STEPS):
        inner = torch.nn.functional.cross_entropy(known @ weight.T + bias, labels[:shots])
        by_weight, by_bias = torch.autograd.grad(inner, (weight, bias), create_graph=True)
        weight, bias = weight - INNER_RATE * by_weight, bias - INNER_RATE * by_bias
    return torch.nn.functional.cross_entropy(asked @ weight.T + bias, labels[shots:])


def prototypes(
    z: "torch.Tensor", labels: "torch.Tensor", classes: int
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """(n, D), (n,) and K, of which each has a picture -> weights (K, D) and biases (K,) whose logits are
    -SHARPNESS times the squared distance to the class's mean, but for a constant of the picture.
    """
    hot = torch.nn.functional.one_hot(labels, classes).to(z.dtype)  # (n, K)
    mean = (hot.T @ z) / hot.sum(dim=0)[:, None]
    return 2 * SHARPNESS * mean, -SHARPNESS * mean.square().sum(dim=1)


def episode(lessons: Lessons, generator: "torch.Generator") -> tuple["torch.Tensor", "torch.Tensor", int]:
    """Pictures (B, 3, S, S), their classes (B,) from 0 on, and how many of them, the first, are labelled.

    Projects, classes and pictures are drawn evenly. Of a class with few pictures, one at least is asked.
    """

    def order(count: int) -> list[int]:
        found: list[int] = torch.randperm(count, generator=generator).tolist()
        return found

    every = lessons.episodes()
    task: Answered = every[order(len(every))[0]]
    able = task.classes(2)
    classes = [int(able[place]) for place in order(len(able))[:WAYS]]
    shots = order(SHOTS)[0] + 1
    known: list[tuple[int, int]] = []
    asked: list[tuple[int, int]] = []
    for number, label in enumerate(classes):
        rows = (task.labels == label).nonzero()[0]
        drawn = [(int(rows[place]), number) for place in order(len(rows))]
        labelled = min(shots, len(drawn) - 1)
        known += drawn[:labelled]
        asked += drawn[labelled : labelled + QUERIES]
    rows_drawn = [row for row, _ in known + asked]
    labels = torch.tensor([number for _, number in known + asked])
    return networks.pixels(torch.from_numpy(task.images[rows_drawn])), labels, len(known)
