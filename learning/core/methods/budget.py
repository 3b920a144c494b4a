"""What a fit may take of a machine that others use, too: planned before it begins, not read from the clock,
so that a busy machine gives the same bits.
"""

import math
from dataclasses import dataclass

from learning.core import registry
from learning.core.methods.base import FALLBACK, METHODS, Method

FLOAT = 4  # bytes
# Megabytes that even the smallest fit takes: what the libraries work in.
LEAST_MEGABYTES = 12.0
# How often a fit holds the features of the labelled items besides the data; `benchmarks.fits` holds the plan
# against what is taken.
LABELLED_COPIES = 4.0
# Of fewer open items a method learns so little that transfer does as well.
LEAST_OPEN = 200


@dataclass(frozen=True)
class Size:
    """Of what is learned from."""

    labels: int
    unlabelled: int
    features: int


@dataclass(frozen=True)
class Budget:
    seconds: float
    megabytes: float


@dataclass(frozen=True)
class Granted:
    method: str  # the one that was asked for, or FALLBACK
    unlabelled: int  # of the items without a label
    note: str = ""  # where it is less than was asked for: one sentence, which says why


def fit_seconds(labels: int) -> float:
    """Of transfer, with 1,728 features on one thread: 0.08 s at 40 labels, 0.4 s at 400."""
    return 0.05 + 0.0008 * labels


def seconds_of(entry: Method, size: Size) -> float:
    return fit_seconds(size.labels) * entry.effort + size.unlabelled * entry.open_seconds


def megabytes_of(entry: Method, size: Size) -> float:
    """At its peak, the data included."""
    held = size.labels * (1 + LABELLED_COPIES) + size.unlabelled * (1 + entry.open_copies)
    return LEAST_MEGABYTES + FLOAT * size.features * held / 1e6


def granted(name: str, size: Size, budget: Budget, fits: int = 1) -> Granted:
    """What a method may do within the budget, if it is to be fitted so many times.

    A method that learns from items without a label takes as many of them as there is time and memory for;
    where that is next to none, or the labels alone take too long, transfer is fitted instead. That is always
    granted: nothing quicker learns as well.
    """
    entry = registry.find(METHODS, name, "method")
    open_ = _open_granted(entry, size, budget, fits)
    needed = min(size.unlabelled, LEAST_OPEN) if "unlabelled" in entry.needs else 0
    fitting = Size(size.labels, max(open_, needed), size.features)
    seconds, megabytes = fits * seconds_of(entry, fitting), megabytes_of(entry, fitting)
    lacking = [
        f"about {math.ceil(figure):,} {unit} of the {most:,.0f} that a training may take"
        for figure, unit, most in (
            (seconds, "seconds", budget.seconds),
            (megabytes, "megabytes", budget.megabytes),
        )
        if figure > most
    ]
    if not lacking:
        note = ""
        if open_ < size.unlabelled and "unlabelled" in entry.uses:
            note = (
                f"It learned from {open_:,} of {size.unlabelled:,} images without a label: more are not "
                "within the time and memory that a training may take."
            )
        return Granted(name, open_, note)
    least = METHODS[FALLBACK]
    over = " and ".join(lacking)
    if name == FALLBACK:
        return Granted(name, 0, f"{entry.title} needs {over}; nothing quicker learns as well.")
    return Granted(FALLBACK, 0, f"{least.title} instead of {entry.title}, which needs {over}.")


def _open_granted(entry: Method, size: Size, budget: Budget, fits: int) -> int:
    """Items without a label, at most those there are; 0 if not even the labels fit."""
    if "unlabelled" not in entry.uses:
        return 0
    alone = Size(size.labels, 0, size.features)
    room = (budget.megabytes - megabytes_of(entry, alone)) * 1e6
    most = room / (FLOAT * size.features * (1 + entry.open_copies))
    if entry.open_seconds:
        most = min(most, (budget.seconds / fits - seconds_of(entry, alone)) / entry.open_seconds)
    return max(0, min(size.unlabelled, int(most)))
