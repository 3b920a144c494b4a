"""Steps of a training that only measure: which batch it should have, by `learning.core.batch_size`."""

import torch

from learning.core.augmentation import Augment
from learning.core.batch_size import Choice, choose
from learning.core.networks.network import Network, pixels
from learning.core.networks.pretrain import begun
from learning.core.pretraining.base import Lessons, Loop, Step

SHARE = 0.99  # of the training that is done: every stage is trained by then


def batch_for(
    lessons: Lessons,
    how: Loop,
    network: Network | None,
    seed: int,
    *,
    augment: Augment | None = None,
    memory: int | None = None,
) -> Choice | None:
    """The batch and rate of a way to learn, on a copy of the network that is thrown away. None for a way that
    has no batch to choose. Raises ValueError where not one picture fits.
    """
    if how.least is None:
        return None
    grown, head = begun(lessons, how, network, seed)
    parts = torch.nn.ModuleList([grown, head]).train()
    learned = [one for one in parts.parameters() if one.requires_grad]
    pool = torch.from_numpy(lessons.pool)
    generator = torch.Generator().manual_seed(seed)

    def step(batch: int) -> None:
        for one in learned:
            one.grad = None
        rows = torch.randint(len(pool), (0 if how.draws else batch,), generator=generator)
        x = pixels(pool[rows])
        torch.autograd.backward(how.loss(grown, head, Step(x, SHARE, lessons, generator, augment, batch)))

    def gradient(batch: int) -> torch.Tensor:
        step(batch)
        return torch.cat([one.grad.flatten() for one in learned if one.grad is not None])

    known = lessons.own
    pictures = len(known.labels) if how.draws and known else len(pool)
    return choose(
        step, gradient, pictures=pictures, usual=how.batch, rate=how.rate, least=how.least, memory=memory
    )
