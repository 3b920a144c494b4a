"""The batch beyond which a model gets no faster, on machines made for it."""

import numpy as np
import pytest

from learning.core import throughput
from learning.core.backbones import BACKBONES
from learning.core.predictor import Embedder
from learning.core.throughput import knee_measured


class Machine:
    """A call costs a second's part besides that of its pictures, up to a batch from which they cost more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, call: float, picture: float) -> None:
        self.now, self.call, self.picture = 0.0, call, picture
        self.sizes: list[int] = []
        monkeypatch.setattr("learning.core.throughput.time.perf_counter", lambda: self.now)

    def __call__(self, count: int) -> None:
        self.sizes.append(count)
        self.now += self.call + self.picture * count


@pytest.mark.parametrize(
    ("call", "picture", "batch", "largest"),
    [
        (0.0, 1e-3, 1, 4),  # nothing is gained: two doublings say so
        (1e-3, 1e-3, 16, 64),
        (8e-3, 1e-4, 256, 256),
        (0.0, 0.4, 1, 1),  # a second picture would keep others waiting for too long
    ],
)
def test_the_knee_is_the_smallest_batch_that_is_nearly_as_fast_as_any(
    call: float, picture: float, batch: int, largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(monkeypatch, call=call, picture=picture)
    found = knee_measured(machine)
    assert (found.batch, max(machine.sizes)) == (batch, largest)
    assert found.curve[0].speed == pytest.approx(1 / (call + picture))


def test_a_backbone_is_measured_and_answers_in_such_batches() -> None:
    embedder = Embedder(BACKBONES["pixels"].export(), threads=1)
    found = embedder.throughput()
    assert found.batch in throughput.SIZES
    embedder.batches_of(found.batch)
    assert embedder.batch == found.batch
    side = BACKBONES["pixels"].input_size
    assert len(embedder.embed(np.zeros((5, side, side, 3), np.uint8))) == 5
