"""Is the found policy better than none, and than what is in use? On seeds and halves that chose nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from learning.core.augmentation import AUGMENTATIONS, Policy

NONE = "none"
LEAST = 0.0005  # of a gain; less is shown as 0.0 points, and is none


@dataclass(frozen=True)
class Gain:
    """In accuracy, 0..1, with its 95% interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Verdict:
    policy: Policy  # the best found
    candidate: str  # where it came from
    fixed: str  # the fixed augmentation that did best of those tried beside it, "" if none was
    best: str  # of the two, by the finalists' rewards and by these
    in_use: Sequence[str]
    rewards: Mapping[str, list[float]]  # on fresh halves: of each of these and of none, seed by seed

    def over(self, name: str) -> dict[str, Gain]:
        """What it gains over all that it met."""
        mine = np.array(self.rewards[name])
        return {other: interval(mine - np.array(of)) for other, of in self.rewards.items() if other != name}

    @property
    def better(self) -> bool:
        """Is the best of the two better than none, and than what is in use? Only then is it used without a
        person's choice.
        """
        over = self.over(self.best)
        met = (NONE, *(name for name in self.in_use if name != NONE))
        return self.best not in met and all(over[name].mean >= LEAST for name in met)

    @property
    def words(self) -> str:
        """What was found, in points over what it met."""
        return _words(self.over(self.candidate))

    @property
    def instead(self) -> str:
        """What a fixed augmentation did, where one did better than what was found; or ""."""
        if self.best == self.candidate:
            return ""
        over = {name: gain for name, gain in self.over(self.best).items() if name != self.candidate}
        return f"{_title(self.best)} did better when the best were tried again, and has {_words(over)}"

    def as_json(self) -> dict[str, Any]:
        return {
            "candidate": self.candidate,
            "best": self.best,
            "accuracy": {name: float(np.mean(one)) for name, one in self.rewards.items()},
            "over": {name: asdict(gain) for name, gain in self.over(self.candidate).items()},
            "better": self.better,
            "words": self.words,
            "instead": self.instead,
        }


def _words(over: Mapping[str, Gain]) -> str:
    return ", ".join(
        f"{100 * one.mean:+.1f} points against {_title(name)} ({100 * one.low:+.1f} to {100 * one.high:+.1f})"
        for name, one in over.items()
    )


def _title(name: str) -> str:
    return AUGMENTATIONS[name].title if name in AUGMENTATIONS and name != NONE else name


def interval(values: NDArray[np.float64], level: float = 0.95) -> Gain:
    """The mean and Student's interval; of one value, one without ends."""
    mean, count = float(values.mean()), len(values)
    if count < 2:
        return Gain(mean, float("-inf"), float("inf"))
    half = float(stdtrit(count - 1, (1 + level) / 2) * values.std(ddof=1) / np.sqrt(count))
    return Gain(mean, mean - half, mean + half)
