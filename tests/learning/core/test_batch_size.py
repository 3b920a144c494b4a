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
    refuse_if_none_fits,
    shortest_training,
    throughput_curve,
    training_times,
)
from learning.core.gradient_noise import Gradient, noise_scale
from learning.core.memory_meter import peak_bytes
from learning.core.networks.batch_trial import batch_check, batch_for
from learning.core.networks.pretrain import plan_of
from learning.core.networks.small_cnn import SmallCnn
from learning.core.pretraining import PRETRAININGS, Answered, Lessons, Loop
from tests.learning.core.pretraining.test_pretraining import some_digits

MB = 1_000_000
ENOUGH = 10_000 * MB


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


def noisy_gradients(scale: float) -> Gradient:
    """g + e with |g|^2 = 1 and tr(cov e) = `scale` a picture."""
    generator = torch.Generator().manual_seed(0)
    width = 2_000

    def gradient(batch: int) -> torch.Tensor:
        noise = torch.randn(width, generator=generator) * float(np.sqrt(scale / width / batch))
        return torch.full((width,), width**-0.5) + noise

    return gradient


def _nothing(made: torch.Tensor) -> None:
    """Let it go."""


def test_the_noise_scale_is_the_known_one_of_noisy_gradients() -> None:
    assert noise_scale(noisy_gradients(50), _nothing, small=8) == pytest.approx(50, rel=0.25)


@pytest.mark.parametrize(
    ("pictures", "looked_at", "least", "memory", "noise", "batch", "words"),
    [
        (
            100_000,
            10**6,
            8,
            ENOUGH,
            120,
            64,
            "a critical batch of 31, a quarter of the gradient noise scale",
        ),
        (
            100_000,
            10**6,
            8,
            ENOUGH,
            3_000,
            64,
            "and takes 1.95 times as long with 32 and 1.05 times as long with 128;",
        ),
        (160, 10**6, 8, ENOUGH, 3_000, 16, "an 8th of the pictures is 20, and of the sizes up to there"),
        (40, 10**6, 8, ENOUGH, 3_000, 8, "an 8th of the pictures is 5, and no smaller ones are tried"),
        (
            100_000,
            3_300,
            8,
            ENOUGH,
            3_000,
            32,
            "what leaves 100 steps of the training is 33, and of the sizes",
        ),
        (
            100_000,
            10**6,
            256,
            ENOUGH,
            30,
            256,
            "the loss compares pictures with one another, which takes 256",
        ),
        (100_000, 10**6, 8, 40 * 4000 + 10, 3_000, 32, "larger ones do not fit into memory"),
        (3, 10**6, 8, ENOUGH, 3_000, 3, "there are no more pictures"),
    ],
)
def test_the_shortest_training_that_is_allowed_is_chosen_and_said(
    pictures: int,
    looked_at: int,
    least: int,
    memory: int,
    noise: float,
    batch: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A machine on which a step costs the same up to 64 pictures.
    monkeypatch.setattr("learning.core.batch_size._timed", lambda step, size: max(1.0, size / 64))
    made = choose(
        lambda count: _nothing(torch.zeros(count * 1000)),
        noisy_gradients(noise),
        _nothing,
        pictures=pictures,
        looked_at=looked_at,
        usual=64,
        rate=1e-3,
        least=least,
        memory=memory,
    )
    assert made.batch == batch, made.reason
    assert words in made.reason
    assert "by the square-root rule for Adam (0.001 at 64)" in made.reason
    assert made.rate == pytest.approx(1e-3 * np.sqrt(batch / 64))
    assert min(made.times) == 1.0


def test_where_measuring_takes_too_long_it_is_the_usual_batch_as_far_as_it_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("learning.core.batch_size._timed", lambda step, size: 0.08)
    chosen = partial(
        choose,
        lambda count: _nothing(torch.zeros(count * 1000)),
        noisy_gradients(3_000),
        _nothing,
        looked_at=10**6,
        usual=64,
        rate=1e-3,
    )
    made = chosen(pictures=10**6, memory=ENOUGH, seconds=14)
    assert (made.batch, made.rate, made.curve) == (64, 1e-3, ())
    assert "for measuring would take 15.0 of the 14.0 s that there are for it" in made.reason
    assert chosen(pictures=10**6, memory=ENOUGH, seconds=16).curve  # there is time
    assert chosen(pictures=10**6, memory=40 * 4000, seconds=1).batch == 40
    assert chosen(pictures=3, memory=ENOUGH, seconds=1).batch == 3
    with pytest.raises(ValueError, match="Not even the smallest batch fits"):
        chosen(pictures=10**6, memory=1000, seconds=1)


def test_a_step_that_costs_as_much_as_its_pictures_leaves_the_choice_to_the_noise() -> None:
    """Equation 2.11: where pictures are equally quick in all batches, time grows with B + the critical batch,
    a quarter of the noise.
    """
    curve = [Point(size, 100.0, size) for size in SIZES]
    assert shortest_training(curve, 240.0) == 8
    assert training_times(curve, 240.0)[3] == pytest.approx((64 + 60) / (8 + 60))
    # Where a step costs the same, only the number of steps counts.
    assert shortest_training([Point(size, size, size) for size in SIZES], 240.0) == 1024
    # Gradients that are noise alone do not say how many steps there are.
    assert shortest_training([Point(size, min(size, 30.0), size) for size in SIZES], None) == 32


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
    # A person's choice is not tried, but told from smaller ones.
    batch_check(16, lessons, way.how, network, 0)
    with pytest.raises(ValueError, match=r"Batches of 100,000,000 do not fit: a step takes about [\d,]+ MB"):
        batch_check(100_000_000, lessons, way.how, network, 0)
