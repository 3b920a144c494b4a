"""Batch sizes: memory counted, the knee of a curve, the noise scale where it is known, and why."""

from functools import partial

import numpy as np
import pytest
import torch

from learning.core.batch_size import (
    SIZES,
    Point,
    choose,
    knee_of,
    largest_fitting,
    noise_scale,
    refuse_if_none_fits,
    throughput_curve,
)
from learning.core.memory_meter import peak_bytes
from learning.core.networks.batch_trial import batch_for
from learning.core.networks.pretrain import plan_of
from learning.core.networks.small_cnn import SmallCnn
from learning.core.pretraining import PRETRAININGS, Answered, Lessons, Loop
from tests.learning.core.pretraining.test_pretraining import some_digits

MB = 1_000_000


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_memory_is_what_lives_at_once() -> None:
    def three_one_after_the_other() -> None:
        for _ in range(3):
            torch.zeros(MB // 4)

    def three_at_once() -> None:
        kept = [torch.zeros(MB // 4) for _ in range(3)]
        views = [one[10:].view(-1) for one in kept]  # no memory of their own
        assert len(views) == 3

    assert peak_bytes(three_one_after_the_other) == MB
    assert peak_bytes(three_at_once) == 3 * MB
    assert peak_bytes(three_at_once) == 3 * MB  # nothing is left over


def test_what_waits_for_the_way_back_counts_and_grows_with_the_batch() -> None:
    layer = torch.nn.Linear(1000, 1000, bias=False)

    def step(batch: int) -> None:
        layer.weight.grad = None
        torch.autograd.backward(torch.relu(layer(torch.zeros(batch, 1000))).sum())

    few, many = (peak_bytes(partial(step, batch)) for batch in (50, 250))
    assert few > 4 * 1000 * 1000  # the gradient of the weights
    assert 2 * 200 * 4000 <= many - few <= 4 * 200 * 4000


def test_the_knee_is_the_smallest_batch_that_is_nearly_as_fast_as_any() -> None:
    speeds = (100, 180, 300, 390, 400, 410)
    curve = [Point(size, speed, size) for size, speed in zip(SIZES, speeds, strict=False)]
    assert knee_of(curve) == 64
    assert largest_fitting(curve, 1000, most=10**6) == 1000
    assert largest_fitting(curve, 1000, most=70) == 70


def test_the_curve_ends_where_doubling_gains_nothing_or_memory_ends() -> None:
    def step(batch: int) -> None:
        torch.zeros(batch * 1000)

    assert throughput_curve(step, most=5, limit=MB)[-1].batch == 5
    points = throughput_curve(step, most=10**6, limit=MB // 4)
    assert points[-1].batch <= 64
    with pytest.raises(ValueError, match="Not even the smallest batch fits: a step takes"):
        refuse_if_none_fits(step, 1000, most=10**6)


def test_the_noise_scale_is_the_known_one_of_noisy_gradients() -> None:
    """Gradients g + e with |g|^2 = 1 and tr(cov e) = 50 a picture: the scale is 50."""
    generator = torch.Generator().manual_seed(0)
    width = 2_000

    def gradient(batch: int) -> torch.Tensor:
        noise = torch.randn(width, generator=generator) * float(np.sqrt(50 / width / batch))
        return torch.full((width,), width**-0.5) + noise

    found = noise_scale(gradient, small=8)
    assert found == pytest.approx(50, rel=0.25)


def _nothing(made: torch.Tensor) -> None:
    """Let it go."""


@pytest.mark.parametrize(
    ("pictures", "least", "memory", "batch", "words"),
    [
        (100_000, 8, None, 64, "the gradient noise scale is 5"),
        (160, 8, None, 16, "an 8th of the pictures is 20, the least"),
        (100_000, 256, None, 256, "the loss compares pictures with one another, which takes 256"),
        (100_000, 8, 40 * 4000 + 10, 32, "larger ones do not fit into memory"),
        (3, 8, None, 3, "there are no more pictures"),
    ],
)
def test_the_least_of_three_limits_is_chosen_and_said(
    pictures: int, least: int, memory: int | None, batch: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(0)

    def gradient(count: int) -> torch.Tensor:
        noise = torch.randn(2000, generator=generator) * float(np.sqrt(55 / 2000 / count))
        return torch.full((2000,), 2000**-0.5) + noise

    # A machine on which a step costs the same up to 256 pictures.
    monkeypatch.setattr("learning.core.batch_size._timed", lambda step, size: max(1.0, size / 256))
    made = choose(
        lambda count: _nothing(torch.zeros(count * 1000)),
        gradient,
        pictures=pictures,
        usual=64,
        rate=1e-3,
        least=least,
        memory=memory,
    )
    assert made.batch == batch, made.reason
    assert words in made.reason
    assert "by the square-root rule for Adam (0.001 at 64)" in made.reason
    assert made.rate == pytest.approx(1e-3 * np.sqrt(batch / 64))


@pytest.mark.parametrize("name", ["fine-tuning", "masked", "meta-learning", "vicreg"])
def test_a_way_to_learn_gets_a_batch_that_its_plan_takes(name: str) -> None:
    images, labels = some_digits(16)
    lessons = Lessons(images, Answered(images, labels))
    way = PRETRAININGS[name]
    network = SmallCnn(32) if way.from_labels else None
    assert isinstance(way.how, Loop)
    made = batch_for(lessons, way.how, network, 0)
    if way.how.least is None:
        assert made is None
        return
    assert made is not None
    assert 2 <= made.batch <= 16
    plan = plan_of(16, way.how, {"batch": made.batch, "rate": made.rate})
    assert (plan.batch, plan.rate) == (made.batch, made.rate)
    with pytest.raises(ValueError, match="Not even the smallest batch fits"):
        batch_for(lessons, way.how, network, 0, memory=1000)
