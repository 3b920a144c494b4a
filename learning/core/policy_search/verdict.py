"""Is the found policy better than none, and than what is in use? On seeds and halves that chose nothing."""

from collections.abc import Mapping
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
    policy: Policy
    candidate: str  # where it came from
    accuracy: dict[str, float]  # of children: with the policy, by its candidate's name, and with what it met
    over: dict[str, Gain]  # none, and what is in use

    @property
    def better(self) -> bool:
        """Only one that is better than none, and than what is in use, is used without a person's choice."""
        return all(gain.mean >= LEAST for gain in self.over.values())

    @property
    def words(self) -> str:
        parts = []
        for name, gain in self.over.items():
            title = AUGMENTATIONS[name].title.lower() if name in AUGMENTATIONS else name
            low, high = 100 * gain.low, 100 * gain.high
            parts.append(f"{100 * gain.mean:+.1f} points against {title} ({low:+.1f} to {high:+.1f})")
        return ", ".join(parts)

    def as_json(self) -> dict[str, Any]:
        return {
            "candidate": self.candidate,
            "accuracy": self.accuracy,
            "over": {name: asdict(gain) for name, gain in self.over.items()},
            "better": self.better,
            "words": self.words,
        }


def verdict_on(candidate: str, policy: Policy, rewards: Mapping[str, list[float]]) -> Verdict:
    """`rewards`: of the candidate and of each rival, seed by seed."""
    mine = np.array(rewards[candidate])
    over = {name: interval(mine - np.array(of_it)) for name, of_it in rewards.items() if name != candidate}
    return Verdict(policy, candidate, {name: float(np.mean(one)) for name, one in rewards.items()}, over)


def interval(values: NDArray[np.float64], level: float = 0.95) -> Gain:
    """The mean and Student's interval; of one value, one without ends."""
    mean, count = float(values.mean()), len(values)
    if count < 2:
        return Gain(mean, float("-inf"), float("inf"))
    half = float(stdtrit(count - 1, (1 + level) / 2) * values.std(ddof=1) / np.sqrt(count))
    return Gain(mean, mean - half, mean + half)
