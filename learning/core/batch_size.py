"""Which batch size? Measured on the machine, model and pictures at hand, in a small part of a training.

A training with batches of B pictures takes S(B) = S_min (1 + noise / B) steps (McCandlish et al. 2018,
equation 2.11), each of B / speed(B) seconds: the best batch has the least (B + noise) / speed(B), if it fits
into memory and leaves enough steps. For `noise` stands the critical batch, a part of the measured scale.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from learning.core.gradient_noise import CHUNKS, Descend, Gradient, noise_scale
from learning.core.learning_rate import rate_for
from learning.core.memory_meter import peak_bytes

SIZES = (8, 16, 32, 64, 128, 256, 512, 1024)
KNEE = 0.9  # of the highest throughput
FLAT = 1.05  # a doubling that gains less is the last but one that is tried
PART = 8  # the batch is at most this part of the pictures
# S_min of small networks was 30 to 55 (benchmarks.batchsize); a training of fewer steps than twice that ends
# too early, however good each step.
LEAST_STEPS = 100
# The gradient noise scale is larger than the batch by which equation 2.11 holds: 2 to 10 times with Adam, two
# networks on three sets of pictures (benchmarks.batchsize). This one was chosen on two of the sets.
ABOVE_CRITICAL = 4
COUNTED = 2  # sizes whose memory is counted, which takes longer than a step
REPEATS = 2  # of each size, at once and some time later; the quickest counts: others only ever slow one down
MEASURED = 1_500  # pictures that are learned from to choose, about: 512 for the noise, the rest for the curve

Step = Callable[[int], None]  # the gradient of so many pictures, without consequence


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
    times: tuple[float, ...]  # of a training with each batch of the curve, in that of the shortest
    seconds: float  # that choosing took
    pictures: int  # that there are: no batch has more

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def choose(
    step: Step,
    gradient: Gradient,
    descend: Descend,
    *,
    pictures: int,
    looked_at: int,
    usual: int,
    rate: float,
    least: int = SIZES[0],
    memory: int,
    seconds: float | None = None,
) -> Choice:
    """The batch for so many pictures; `rate` is the learning rate that goes with the `usual` batch.

    `looked_at`: pictures in all epochs. `least`: of a loss that compares the pictures of a batch with one
    another. `memory`: bytes that a step may take. `seconds`: that choosing may take; where measuring takes
    more, it is the usual batch, if it fits. Raises ValueError where not one picture fits.
    """
    began = time.perf_counter()
    refuse_if_none_fits(step, memory, most=pictures)
    few = min(SIZES[0], pictures)
    takes = MEASURED / few * min(_timed(step, few) for _ in range(REPEATS))
    if seconds is not None and takes > seconds:
        why = f"measuring would take {takes:,.1f} of the {seconds:,.1f} s that there are for it"
        return _unmeasured(step, pictures, usual, rate, memory, why, began)
    noise = noise_scale(gradient, descend, small=max(2, min(SIZES[0], pictures // CHUNKS)))
    caps = {
        f"an {PART}th of the pictures": pictures / PART,
        f"what leaves {LEAST_STEPS} steps of the training": looked_at / LEAST_STEPS,
    }
    cap = min(caps, key=caps.__getitem__)
    allowed = max(least, *(size for size in SIZES if size <= max(caps[cap], SIZES[0])))
    curve = throughput_curve(step, most=min(pictures, allowed), limit=memory)
    fits = largest_fitting(curve, memory, most=pictures)
    shortest = shortest_training(curve, noise)
    wanted = max(shortest, least)
    batch = max(2, min(wanted, fits, pictures))
    if batch < wanted or (shortest == curve[-1].batch and fits < min(2 * shortest, allowed, pictures)):
        why = "larger ones do not fit into memory" if fits < pictures else "there are no more pictures"
    elif least > shortest:
        why = f"the loss compares pictures with one another, which takes {least}"
    elif caps[cap] < SIZES[0]:
        why = f"{cap} is {caps[cap]:,.0f}, and no smaller ones are tried"
    elif 2 * shortest > allowed:
        why = f"{cap} is {caps[cap]:,.0f}, and of the sizes up to there this one trains in the least time"
    else:
        why = _by_time(curve, shortest, noise)
    scaled = rate_for(batch, rate, usual)
    reason = (
        f"Batches of {batch}: {why}; learning rate {scaled:.2g} by the square-root rule for Adam "
        f"({rate:.2g} at {usual})."
    )
    times = tuple(training_times(curve, noise))
    took = time.perf_counter() - began
    return Choice(batch, scaled, reason, fits, knee_of(curve), noise, tuple(curve), times, took, pictures)


def _unmeasured(
    step: Step, pictures: int, usual: int, rate: float, memory: int, why: str, began: float
) -> Choice:
    """The usual batch, or the largest that fits."""
    fits = _largest_on_the_line(step, memory, most=pictures)
    batch = max(2, min(usual, fits, pictures))
    scaled = rate_for(batch, rate, usual)
    reason = (
        f"Batches of {batch}: the usual, as far as they fit, for {why}; learning rate {scaled:.2g} by the "
        f"square-root rule for Adam ({rate:.2g} at {usual})."
    )
    took = time.perf_counter() - began
    return Choice(batch, scaled, reason, fits, 0, None, (), (), took, pictures)


def training_times(curve: Sequence[Point], noise: float | None) -> list[float]:
    """How long a training with each batch takes to get as far, in that of the shortest; where the gradients
    are noise alone, how long a picture takes, in that of the knee.
    """
    critical = None if noise is None else noise / ABOVE_CRITICAL
    taken = {one.batch: (1.0 if critical is None else one.batch + critical) / one.speed for one in curve}
    shortest = taken[knee_of(curve)] if noise is None else min(taken.values())
    return [one / shortest for one in taken.values()]


def shortest_training(curve: Sequence[Point], noise: float | None) -> int:
    """The batch of the shortest training; where the gradients are noise alone, the knee."""
    return knee_of(curve) if noise is None else curve[int(np.argmin(training_times(curve, noise)))].batch


def _by_time(curve: Sequence[Point], shortest: int, noise: float | None) -> str:
    if noise is None:
        return "the gradients are noise alone, and this is the throughput's knee"
    times = training_times(curve, noise)
    at = [one.batch for one in curve].index(shortest)
    others = " and ".join(
        f"{times[place]:.2f} times as long with {curve[place].batch}"
        for place in (at - 1, at + 1)
        if 0 <= place < len(curve)
    )
    return (
        f"by their speed and a critical batch of {noise / ABOVE_CRITICAL:,.0f}, a quarter of the "
        f"gradient noise scale, a training is the shortest with them, and takes {others}"
    )


def refuse_if_none_fits(step: Step, limit: int, *, most: int) -> None:
    """Raises ValueError, with a sentence, where a single picture takes more memory than there is."""
    alone = peak_bytes(lambda: step(min(2, most)))
    if alone > limit:
        raise ValueError(
            f"Not even the smallest batch fits: a step takes {alone / 1e6:,.0f} MB, and it may take "
            f"{limit / 1e6:,.0f} MB: use smaller pictures or a smaller network, or free some memory."
        )


def refuse_if_it_does_not_fit(step: Step, batch: int, limit: int, *, pictures: int) -> None:
    """Raises ValueError, with a sentence, where a step with a batch that a person chose takes more memory
    than there is: nothing so large is tried. `pictures`: how many there are to take.
    """
    refuse_if_none_fits(step, limit, most=pictures)
    counted = [(size, peak_bytes(partial(step, size))) for size in SIZES[:COUNTED] if size <= pictures]
    takes = _on_the_line(counted, batch) if counted else 0
    if takes > limit:
        raise ValueError(
            f"Batches of {batch:,} do not fit: a step takes about {takes / 1e6:,.0f} MB, and it may take "
            f"{limit / 1e6:,.0f} MB: choose smaller ones, or none, and it is measured which suit."
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
        points.append(Point(size, size / min(_timed(step, size) for _ in range(REPEATS)), memory))
        speeds = [one.speed for one in points]
        if len(speeds) > 2 and speeds[-1] < FLAT * max(speeds[:-1]) and speeds[-2] < FLAT * max(speeds[:-2]):
            break
    again = [
        max(one.speed, one.batch / min(_timed(step, one.batch) for _ in range(REPEATS))) for one in points
    ]
    return [replace(one, speed=speed) for one, speed in zip(points, again, strict=True)]


def _largest_on_the_line(step: Step, limit: int, *, most: int) -> int:
    """The largest batch that fits, by the memory of the smallest sizes; none so large is tried."""
    sizes = [one for one in SIZES[:COUNTED] if one <= most] or [most]
    points = [Point(size, 0.0, peak_bytes(partial(step, size))) for size in sizes]
    return largest_fitting(points, limit, most=most)


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


def _timed(step: Step, size: int) -> float:
    began = time.perf_counter()
    step(size)
    return time.perf_counter() - began
