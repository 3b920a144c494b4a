"""How many pictures a model should answer at once: no more than make it faster. Without torch, which requests
do without."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
KNEE = 0.95  # of the highest throughput
FLAT = 1.05  # two doublings in a row that gain less are the last
REPEATS = 3  # of which the quickest counts: other processes only ever slow one down
LONGEST = 0.5  # seconds of one batch; a larger one would only keep others waiting

Answer = Callable[[int], object]  # answers so many pictures at once


@dataclass(frozen=True)
class Speed:
    batch: int
    speed: float  # pictures a second


@dataclass(frozen=True)
class Knee:
    batch: int
    curve: tuple[Speed, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def knee_measured(answer: Answer, sizes: Sequence[int] = SIZES) -> Knee:
    """The smallest batch with nearly the highest throughput, on this machine, of whatever `answer` runs."""
    answer(sizes[0])  # what is prepared at the first call
    curve: list[Speed] = []
    for size in sizes:
        took = min(_timed(answer, size) for _ in range(REPEATS))
        curve.append(Speed(size, size / max(took, 1e-9)))
        speeds = [one.speed for one in curve]
        flat = len(speeds) > 2 and max(speeds[-2:]) < FLAT * max(speeds[:-2])
        if flat or 2 * took > LONGEST:
            break
    highest = max(one.speed for one in curve)
    return Knee(next(one.batch for one in curve if one.speed >= KNEE * highest), tuple(curve))


def _timed(answer: Answer, size: int) -> float:
    began = time.perf_counter()
    answer(size)
    return time.perf_counter() - began
