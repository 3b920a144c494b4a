"""Which batch size? Measured on the machine, model and pictures at hand, in a small part of a training.

Three limits: the memory there is; the knee of the throughput curve, beyond which a larger batch only makes
steps longer; and the gradient noise scale, beyond which a larger batch makes steps hardly better.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import psutil
import torch

from learning.core.memory_meter import peak_bytes

SIZES = (8, 16, 32, 64, 128, 256, 512, 1024)
KNEE = 0.9  # of the highest throughput
FLAT = 1.05  # a doubling that gains less is the last but one that is tried
SHARE = 0.5  # of the free memory that may be used
PART = 8  # the batch is at most this part of the pictures
CHUNKS = 8  # small batches of a large one
COUNTED = 2  # sizes whose memory is counted, which takes longer than a step
STEPS = 4  # that the noise is averaged over
SMOOTHING = 0.9
KNEE_WORDS = "the throughput's knee"

Step = Callable[[int], None]  # a whole training step with so many pictures
Gradient = Callable[[int], torch.Tensor]  # the gradient (P,) of so many new pictures


@dataclass(frozen=True)
class Point:
    batch: int
    speed: float  # pictures a second
    memory: int  # bytes that a step takes at its peak


@dataclass(frozen=True)
class Choice:
    batch: int
    rate: float
    reason: str  # one sentence
    fits: int  # the largest batch in memory
    knee: int
    noise: float | None  # None: not told from the gradients
    curve: tuple[Point, ...]
    seconds: float  # that choosing took

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def choose(
    step: Step,
    gradient: Gradient,
    *,
    pictures: int,
    usual: int,
    rate: float,
    least: int = SIZES[0],
    memory: int | None = None,
) -> Choice:
    """The batch for so many pictures; `rate` is the learning rate that goes with the `usual` batch.

    `least`: of a loss that compares the pictures of a batch with one another. `memory`: bytes, instead of
    half of what is free. Raises ValueError where not one picture fits.
    """
    began = time.perf_counter()
    limit = free_memory() if memory is None else memory
    refuse_if_none_fits(step, limit, most=pictures)
    noise = noise_scale(gradient, small=max(2, min(SIZES[0], pictures // CHUNKS)))
    # What is larger than another limit allows would not be chosen, so that it need not be timed either.
    allowed = min(np.inf if noise is None else noise, pictures / PART)
    curve = throughput_curve(step, most=min(pictures, max(least, 2 * power_of_two(allowed))), limit=limit)
    fits = largest_fitting(curve, limit, most=pictures)
    knee = knee_of(curve)
    limits = {
        KNEE_WORDS: float(knee),
        "the gradient noise scale": np.inf if noise is None else noise,
        f"an {PART}th of the pictures": pictures / PART,
    }
    by = min(limits, key=limits.__getitem__)
    wanted = max(power_of_two(limits[by]), least)
    batch = max(2, min(wanted, fits, pictures))
    why = f"{by} is {limits[by]:,.0f}, the least of the three limits"
    if by == KNEE_WORDS and knee == curve[-1].batch and fits < min(2 * knee, pictures):
        why = "larger ones do not fit into memory"
    if batch < wanted:
        why = "larger ones do not fit into memory" if fits < pictures else "there are no more pictures"
    elif wanted == least and least > limits[by]:
        why = f"the loss compares pictures with one another, which takes {least}"
    scaled = rate * float(np.sqrt(batch / usual))
    reason = (
        f"Batches of {batch}: {why}; learning rate {scaled:.2g} by the square-root rule for Adam "
        f"({rate:.2g} at {usual})."
    )
    took = time.perf_counter() - began
    return Choice(batch, scaled, reason, fits, knee, noise, tuple(curve), took)


def refuse_if_none_fits(step: Step, limit: int, *, most: int) -> None:
    """Raises ValueError, with a sentence, where a single picture takes more memory than there is."""
    alone = peak_bytes(lambda: step(min(2, most)))
    if alone > limit:
        raise ValueError(
            f"Not even the smallest batch fits: a step takes {alone / 1e6:,.0f} MB, and there are "
            f"{limit / 1e6:,.0f} MB: use smaller pictures or a smaller network, or free some memory."
        )


def throughput_curve(step: Step, *, most: int, limit: int) -> list[Point]:
    """Doubling sizes, until that gains nothing, or the next one would not fit.

    Memory is counted at the two smallest sizes; what a larger one takes lies on the line through them.
    """
    sizes = [one for one in SIZES if one <= most] or [most]
    counted = [(size, peak_bytes(partial(step, size))) for size in sizes[:COUNTED]]
    points: list[Point] = []
    for size in sizes:
        memory = _on_the_line(counted, size)
        if points and memory > limit:
            break
        points.append(Point(size, size / _timed(step, size), memory))
        speeds = [one.speed for one in points]
        if len(speeds) > 2 and speeds[-1] < FLAT * max(speeds[:-1]) and speeds[-2] < FLAT * max(speeds[:-2]):
            break
    return points


def _on_the_line(counted: Sequence[tuple[int, int]], size: int) -> int:
    (first, least), (last, most) = counted[0], counted[-1]
    each = (most - least) / (last - first) if last > first else 0.0
    return round(most + each * (size - last))


def knee_of(curve: Sequence[Point]) -> int:
    """The smallest batch with nearly the highest throughput."""
    highest = max(one.speed for one in curve)
    return next(one.batch for one in curve if one.speed >= KNEE * highest)


def largest_fitting(curve: Sequence[Point], limit: int, *, most: int) -> int:
    """What a picture takes is the slope between the two largest sizes that were measured."""
    last, before = curve[-1], curve[-2] if len(curve) > 1 else Point(0, 0.0, 0)
    each = max(1.0, (last.memory - before.memory) / (last.batch - before.batch))
    more = int((limit - last.memory) / each)
    return max(1, min(most, last.batch + more))


def noise_scale(gradient: Gradient, *, small: int) -> float | None:
    """McCandlish et al. 2018, equations A.2 and A.3: |G|^2 and tr(S) from gradients of two batch sizes, both
    smoothed over steps before their quotient is taken. None where |G|^2 is lost in the noise.
    """
    big = small * CHUNKS
    signal = spread = 0.0
    for number in range(STEPS):
        total = gradient(small)
        of_small = float(total.square().sum())
        for _ in range(CHUNKS - 1):
            one = gradient(small)
            of_small += float(one.square().sum())
            total = total + one
        of_small /= CHUNKS
        of_big = float((total / CHUNKS).square().sum())
        kept = min(SMOOTHING, number / (number + 1))
        signal = kept * signal + (1 - kept) * (big * of_big - small * of_small) / (big - small)
        spread = kept * spread + (1 - kept) * (of_small - of_big) / (1 / small - 1 / big)
    return spread / signal if signal > 0 and np.isfinite(spread / signal) else None


def power_of_two(value: float) -> int:
    """The nearest one from SIZES."""
    return min(SIZES, key=lambda size: abs(np.log2(size) - np.log2(max(value, 1.0))))


def free_memory() -> int:
    """The part of the memory that is free now, and that a training may take, in bytes."""
    if torch.cuda.is_available():
        return int(SHARE * torch.cuda.mem_get_info()[0])
    return int(SHARE * psutil.virtual_memory().available)


def _timed(step: Step, size: int) -> float:
    began = time.perf_counter()
    step(size)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began
