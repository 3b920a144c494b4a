"""How much memory torch takes at its peak while something runs: counted, not guessed."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def peak_bytes(run: Callable[[], None]) -> int:
    """The most that was taken at once, beyond what was taken before: the sum of the tensors that are alive,
    gradients and what waits for the way back included, on whatever device they are. Where a GPU's allocator
    gave more, that: its libraries take room to work in.
    """
    meter = _Meter()
    with meter:
        taken = _taken_of_gpu(run)
    return max(meter.peak, taken)


def _taken_of_gpu(run: Callable[[], None]) -> int:
    if not torch.cuda.is_available():
        run()
        return 0
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    return int(torch.cuda.max_memory_allocated() - before)


class _Meter(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch annotates neither
    """Sees every operation of this thread; a storage counts from when it is first seen until it is freed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # its base class has no types
        self.alive = self.peak = 0
        self.seen: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        for one in tree_leaves((args, kwargs)):
            if isinstance(one, torch.Tensor):
                self.seen.add(one.untyped_storage())  # it was there before
        made = func(*args, **(kwargs or {}))
        for one in tree_leaves(made):
            if isinstance(one, torch.Tensor) and (storage := one.untyped_storage()) not in self.seen:
                self._count(storage)
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        size = storage.nbytes()
        self.seen.add(storage)
        self.alive += size
        self.peak = max(self.peak, self.alive)
        weakref.finalize(storage, self._freed, size)

    def _freed(self, size: int) -> None:
        self.alive -= size
