"""float32 or int8? A pure function of what was measured of both, and that measurement of speed."""

import time
from dataclasses import dataclass

import numpy as np

from learning.core.predictor import session

MOST_LOST = 0.003  # of the hold-out's accuracy
LEAST_LABELS = 100  # of fewer, one label is more than a point
FASTER = 0.95  # of the time of float32, at most
BATCHES = (1, 8, 32)
# The quickest of so many counts: other processes only ever slow one down.
REPEATS, LONGEST_BATCH_REPEATS = 30, 5


@dataclass(frozen=True)
class Choice:
    int8: bool
    why: str  # a sentence


def choose(*, labels: int, right: int, right_int8: int, ms: float, ms_int8: float) -> Choice:
    """`right` of so many hold-out labels by float32, `right_int8` by the same head on int8; `ms` an image."""
    if labels < LEAST_LABELS:
        had = f"{labels} hold-out label{'' if labels == 1 else 's'}"
        return Choice(
            False, f"float32 answers: with {had} nobody can tell 0.3 points; {LEAST_LABELS} are needed."
        )
    lost = (right - right_int8) / labels
    points = f"{abs(100 * lost):.1f} points {'worse' if lost > 0 else 'better'} than float32"
    quality = "as right as float32" if lost == 0 else points
    speed = f"{ms_int8:.2f} ms an image instead of {ms:.2f}"
    if lost > MOST_LOST:
        return Choice(
            False, f"float32 answers: int8 is {quality} on {labels:,} hold-out labels (0.3 may be)."
        )
    if ms_int8 > FASTER * ms:
        return Choice(False, f"float32 answers: int8 is {quality} and takes {speed}, which wins nothing.")
    return Choice(True, f"int8 answers: it is {quality} on {labels:,} hold-out labels and takes {speed}.")


def ms_an_image(first: bytes, second: bytes) -> dict[int, tuple[float, float]]:
    """At each batch, what an image takes two backbones in turn, in ms, on one processor of this machine."""
    sessions = [session(one, 1) for one in (first, second)]
    _, height, width, channels = sessions[0].get_inputs()[0].shape
    rng = np.random.default_rng(0)
    found = {}
    for batch in BATCHES:
        images = rng.integers(0, 256, (batch, height, width, channels), dtype=np.uint8)
        best = [np.inf, np.inf]
        for repeat in range(max(LONGEST_BATCH_REPEATS, REPEATS // batch) + 1):
            for place, running in enumerate(sessions):
                began = time.perf_counter()
                running.run(["features"], {"images": images})
                took = time.perf_counter() - began
                if repeat:  # the first call prepares
                    best[place] = min(best[place], took)
        found[batch] = (1000 * best[0] / batch, 1000 * best[1] / batch)
    return found
