"""Does the stop signal stop projects too early, or late?

Simulated projects: accuracies follow a power law of random height and steepness with a wobble of its own.
Every round re-measures the whole hold-out, whose items become right or wrong as the newest model changes. The
target lies a given number of points below the height that the curve nears. A stop is false when the true
accuracy is below the target at that moment. Excess is counted from the first round at which the three
conditions hold of the truth, which no rule that has to measure can know.
"""

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Claim, print_report
from learning.core.learning_curve import CurvePoint, predicted_gain
from learning.core.stopping import KAPPA, KAPPA_DISTANCE, WORTH, StopState, agreement, stop_signal

POOL = 2000
CLASSES = 10
MOST = 1600  # labels
GAPS = (2, 5, 10)  # points between the target and the height that the curve nears


class Project:
    """One model after every 20 labels: item i is right while its difficulty is below the true accuracy."""

    def __init__(self, rng: np.random.Generator, holdout: int, gap: int) -> None:
        self.rng = rng
        self.top = rng.uniform(0.90, 0.995)
        self.drop = self.top - rng.uniform(0.3, 0.7)
        self.steep = rng.uniform(0.5, 1.3)
        self.target = float(self.top - gap / 100)
        self.labels = np.arange(KAPPA_DISTANCE, MOST + 1, KAPPA_DISTANCE)
        wobble = rng.normal(0, 0.002, len(self.labels))
        self.accuracy = np.clip(self.smooth(self.labels) + wobble, 0, 1)
        self.hard_pool = rng.random(POOL)
        self.hard_holdout = rng.random(holdout)
        self.noise = 0.3  # how far an item's difficulty moves with the labels that came, over sqrt(labels)

    def smooth(self, labels: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(self.top - self.drop * (labels / KAPPA_DISTANCE) ** -self.steep)

    def models(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The labels that each round's model gives to the pool (R, POOL), and its hold-out answers (R, H)."""
        truth = np.arange(POOL) % CLASSES
        given, right = [], []
        for labels, accuracy in zip(self.labels, self.accuracy, strict=True):
            spread = 0.02 * self.noise / np.sqrt(labels / KAPPA_DISTANCE)
            moved = self.hard_pool + self.rng.normal(0, spread, POOL)
            given.append(np.where(moved < accuracy, truth, (truth + 1) % CLASSES))
            right.append(self.hard_holdout + self.rng.normal(0, spread, len(self.hard_holdout)) < accuracy)
        return np.array(given), np.array(right)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stopping", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="4 projects a row, not 100")
    parser.add_argument("--seeds", type=int, default=100, help="projects a row (100)")
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    claims: list[Claim] = []
    for holdout in (500, 2000):
        for gap in GAPS:
            played = [play(seed, holdout, gap) for seed in range(4 if options.quick else options.seeds)]
            stopped = [one for one in played if one.at is not None]
            false = 100 * sum(not one.reached for one in stopped) / len(played)
            excess = [100 * (one.at / one.first - 1) for one in stopped if one.at and one.first] or [
                float("nan")
            ]
            rows.append(
                {
                    "hold-out": holdout,
                    "target below top": gap,
                    "projects": len(played),
                    "stopped": len(stopped),
                    "could have": sum(one.first is not None for one in played),
                    "false %": false,
                    "excess %, median": float(np.median(excess)),
                    "p90": float(np.quantile(excess, 0.9)),
                }
            )
            where = f"hold-out {holdout}, target {gap} points below the top"
            claims += [
                Claim(f"false stops, {where}", 5.0, false, "%"),
                Claim(f"median excess labels, {where}", 15.0, float(np.median(excess)), "%"),
            ]
    print_report("stopping", rows, claims)


@dataclass(frozen=True)
class Played:
    at: int | None  # labels when the signal said stop
    reached: bool  # the target, truly, at that moment
    first: int | None  # labels when a rule that knows the truth would have stopped


def play(seed: int, holdout: int, gap: int) -> Played:
    project = Project(np.random.default_rng([seed, holdout]), holdout, gap)
    given, right = project.models()
    kappas: list[float | None] = [None, *[agreement(given[r - 1], given[r]) for r in range(1, len(given))]]
    gains = project.smooth(project.labels + 100) - project.smooth(project.labels)
    reached = project.accuracy >= project.target
    steady = np.array([kappa is not None and kappa >= KAPPA for kappa in kappas])
    ideal = np.flatnonzero(reached & steady & (gains < WORTH))
    first = int(project.labels[ideal[0]]) if len(ideal) else None
    points: list[CurvePoint] = []
    for r, labels in enumerate(project.labels.tolist()):
        correct = int(right[r].sum())
        points.append(CurvePoint(labels, correct, holdout))
        signal = stop_signal(
            correct=correct,
            n=holdout,
            target=project.target,
            kappa=kappas[r],
            gain=predicted_gain(points) if len(points) >= 3 else None,
        )
        if signal.state is StopState.STOP:
            return Played(labels, bool(reached[r]), first)
    return Played(None, False, first)


if __name__ == "__main__":
    main()
