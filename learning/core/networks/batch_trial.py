"""Steps of a training that only measure: which batch it should have, by `learning.core.batch_size`."""

import torch

from learning.core.augmentation import Augment
from learning.core.batch_size import Choice, choose, refuse_if_it_does_not_fit
from learning.core.networks.device import free_memory, training_device
from learning.core.networks.network import Network, pixels
from learning.core.networks.pretrain import begun
from learning.core.networks.rehearsal import Rehearsal
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
    seconds: float | None = None,
) -> Choice | None:
    """The batch and rate of a way to learn, on a copy of the network that is thrown away; within `seconds`,
    if they are given. None for a way that has no batch to choose. Raises ValueError where not one picture
    fits.
    """
    if how.least is None:
        return None
    rehearsal = _rehearsal(lessons, how, network, seed, augment)
    return choose(
        rehearsal.step,
        rehearsal.gradient,
        rehearsal.descend,
        pictures=_pictures(lessons, how),
        looked_at=how.looked_at,
        usual=how.batch,
        rate=how.rate,
        least=how.least,
        memory=free_memory(training_device()) if memory is None else memory,
        seconds=seconds,
    )


def batch_check(
    batch: int,
    lessons: Lessons,
    how: Loop,
    network: Network | None,
    seed: int,
    *,
    augment: Augment | None = None,
    memory: int | None = None,
) -> None:
    """Raises ValueError where a batch that a person chose does not fit into memory."""
    limit = free_memory(training_device()) if memory is None else memory
    step = _rehearsal(lessons, how, network, seed, augment).step
    refuse_if_it_does_not_fit(step, batch, limit, pictures=_pictures(lessons, how))


def _rehearsal(
    lessons: Lessons, how: Loop, network: Network | None, seed: int, augment: Augment | None
) -> Rehearsal:
    grown, head = begun(lessons, how, network, seed)
    parts = torch.nn.ModuleList([grown, head]).train()
    pool = torch.from_numpy(lessons.pool)
    generator = torch.Generator().manual_seed(seed)

    def loss(batch: int) -> torch.Tensor:
        rows = torch.randint(len(pool), (0 if how.draws else batch,), generator=generator)
        return how.loss(grown, head, Step(pixels(pool[rows]), SHARE, lessons, generator, augment, batch))

    return Rehearsal(loss, [one for one in parts.parameters() if one.requires_grad], how.rate)


def _pictures(lessons: Lessons, how: Loop) -> int:
    """How many a batch can be of."""
    known = lessons.own
    return len(known.labels) if how.draws and known else len(lessons.pool)
