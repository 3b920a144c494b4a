"""Every step of every way to learn runs where its network is. Torch's 'meta' device stands for a GPU that
need not be there: its tensors have shapes and compute nothing, and no operation may mix them with others.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from learning.core.networks import classifier, device, pretrain
from learning.core.networks.network import Network, pixels
from learning.core.networks.softmatch import SoftMatchHead
from learning.core.pretraining import PRETRAININGS, Loop, Step
from tests.learning.core.pretraining.test_pretraining import (
    EVERY,
    Images,
    lessons_of,
    some_digits,
    start_of,
)

ELSEWHERE = torch.device("meta")


class NothingMeets(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch annotates neither
    """No operation sees tensors of two devices, but for numbers and for sending one to the other."""

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        every = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
        found = {one.device.type for one in every if one.ndim}
        assert len(found) < 2 or "copy" in str(func), f"{func} mixes {found}"
        return func(*args, **(kwargs or {}))


def embedded_anyhow(network: Network, images: Images) -> NDArray[np.float32]:
    """What a head begins with are numbers, which the stand-in has none of."""
    return np.random.default_rng(0).normal(size=(len(images), network.features)).astype(np.float32)


@EVERY
def test_a_step_leaves_the_device_of_its_network_nowhere(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrain, "training_device", lambda: ELSEWHERE)
    monkeypatch.setattr(classifier, "embedded", embedded_anyhow)
    how = PRETRAININGS[name].how
    assert isinstance(how, Loop)
    images, labels = some_digits(40)
    lessons = lessons_of(images, labels)
    network, head = pretrain.begun(lessons, how, start_of(name), 0)
    parts = torch.nn.ModuleList([network, head]).train()
    if isinstance(head, SoftMatchHead):
        head.steps = torch.tensor(0)  # its value is read
    generator = torch.Generator().manual_seed(0)
    x = pixels(torch.from_numpy(images[:20]))[: 0 if how.draws else None]
    with NothingMeets():  # type: ignore[no-untyped-call]  # its base class has no types
        loss = how.loss(network, head, Step(x, 0.99, lessons, generator, None, 20))
        torch.autograd.backward(loss)
    assert loss.device == ELSEWHERE
    learned = [one.grad for one in parts.parameters() if one.requires_grad and one.grad is not None]
    assert learned
    assert {one.device for one in learned} == {ELSEWHERE}


def test_the_processor_trains_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.training_device() == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.training_device() == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3_000, 8_000))
    assert device.free_memory(torch.device("cuda")) == 1_500
