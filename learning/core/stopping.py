"""May people stop labelling? One answer, and the sentence that says why."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from learning.core.confidence_sequence import anytime_interval
from learning.core.learning_curve import Gain
from learning.core.sequential_test import LONGEST, labels_to_prove, sequential_interval

KAPPA = 0.99
KAPPA_DISTANCE = 20  # labels between the two models that are compared
ROUNDING = 1e-9  # of 97.3 over 100
WORTH = 0.005  # accuracy that the next labels must add to be worth people's time


class StopState(StrEnum):
    UNKNOWN = "unknown"  # too little is measured
    GO_ON = "go on"
    STOP = "stop"
    NOTHING_LEFT = "nothing left"


@dataclass(frozen=True)
class StopSignal:
    state: StopState
    sentence: str
    low: float | None
    high: float | None
    only_proof: bool = False  # the model is good enough as it is: only blind labels can end it


def agreement(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Cohen's kappa (1960) of two models' labels of the same items; 1 when both know a single label only."""
    if len(first) == 0 or first.shape != second.shape:
        raise ValueError(f"Two models must label the same items: {len(first)} and {len(second)} labels.")
    same = float((first == second).mean())
    classes = int(max(first.max(), second.max())) + 1
    shares = [np.bincount(labels, minlength=classes) / len(labels) for labels in (first, second)]
    by_chance = float(shares[0] @ shares[1])
    return 1.0 if by_chance >= 1 else (same - by_chance) / (1 - by_chance)


def stop_signal(
    *,
    correct: float,
    n: float,
    target: float,
    kappa: float | None,
    gain: Gain | None,
    holdout: int | None,
    left: int | None = None,
) -> StopSignal:
    """Stop when three things hold: the lower bound of the accuracy, `correct` of `n` hold-out answers,
    reaches the target; the model agrees with the one KAPPA_DISTANCE labels ago (kappa >= .99, Bloodgood and
    Vijay-Shanker 2009); the next labels are expected to add less than they are worth.

    Safe to ask after every label: the bound holds at all of them, as `holdout`, the number of items that can
    be measured on, is known. It is None where there is no hold-out, and `n` is then the number of hold-out
    labels that would know as much: these prove nothing, for while models change, the interval lies above the
    truth at some look in up to 12% of projects (`python -m benchmarks.draws`). `kappa` and `gain` are None
    until they can be measured. `left`: how many items could still be asked, if that is known.

    Raises ValueError for a target that is not between 0 and 1.
    """
    if not 0 < target < 1:
        raise ValueError(f"The accuracy to reach must lie between 0 and 1, not be {target}.")
    if n == 0:
        return StopSignal(
            StopState.UNKNOWN,
            "Nothing is measured yet: go on labelling, some questions are for that",
            None,
            None,
        )
    if holdout is None:
        low, high = anytime_interval(correct, n)
    else:
        low, high = sequential_interval(round(correct), round(n), holdout)
    measured = f"{100 * correct / n:.1f}% ({100 * low:.1f}-{100 * high:.1f})"
    if holdout is None:
        measured += ", estimated without a hold-out"
    if kappa is None or gain is None:
        return StopSignal(
            StopState.UNKNOWN, f"{measured}; too few models yet to say what more labels add", low, high
        )
    expected = f"{gain.more} more labels are expected to add {100 * gain.mean:.1f}"
    open_ends = []
    if holdout is None and correct / n >= target - ROUNDING:
        open_ends.append(f"{100 * target:g}% cannot be proven without a hold-out")
    elif low < target - ROUNDING:
        how = "reached" if correct / n < target - ROUNDING else "proven"
        open_ends.append(f"{100 * target:g}% is not {how}{_proof(correct, n, target, holdout)}")
    if kappa < KAPPA:
        open_ends.append("the model's answers still change")
    if gain.mean >= WORTH:
        open_ends.append("more labels are worth it")
    if not open_ends:
        return StopSignal(StopState.STOP, f"{measured}; {expected}; you can stop", low, high)
    if left == 0:
        sentence = f"{measured}; nothing is left to learn from: import more images"
        return StopSignal(StopState.NOTHING_LEFT, sentence, low, high)
    only_proof = (
        holdout is not None and len(open_ends) == 1 and low < target - ROUNDING and correct / n > target
    )
    sentence = f"{measured}; {expected}; go on: {' and '.join(open_ends)}"
    return StopSignal(StopState.GO_ON, sentence, low, high, only_proof)


def _proof(correct: float, n: float, target: float, holdout: int | None) -> str:
    """What it would take, if the accuracy stays what it is."""
    if holdout is None or holdout > LONGEST or correct / n <= target:
        return ""
    more = labels_to_prove(round(correct), round(n), target, holdout)
    if more is None:
        return f" (a hold-out of {holdout:,} is too small to prove it)"
    return f" (about {more:,} more hold-out labels would prove it)"
