"""Does the stop signal stop projects too early, or late?

A course is a project that has one model after every 20 labels. Simulated ones follow a power law of random
height and steepness with a wobble of its own; real ones learn handwritten digits by margin queries. The
target lies some points below the height that the curve nears; where it lies above, every stop is false.

A stop is false when the true accuracy is below the target at that moment. Excess is counted from the first
moment at which the three conditions hold of the truth, which no rule that has to measure can know; a project
that never stops counts as stopping at the end. "One look" is the same for a rule that knows when to look, and
looks once at the hold-out (exact, 5%): what the size of the hold-out costs, whatever the rule. A hold-out
either is labelled before the beginning, or grows along: a quarter of all questions, which count as labels;
when only the proof is missing, nine in ten, as the queue asks then.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom
from threadpoolctl import threadpool_limits

from benchmarks.pictures import Pictures, digits, larger_sets
from benchmarks.report import Claim, print_report
from learning.core.backbones import BACKBONES
from learning.core.learning_curve import CurvePoint, Gain, predicted_gain
from learning.core.methods import METHODS, TrainingData, softmax
from learning.core.pool import Pool
from learning.core.predictor import Embedder
from learning.core.sequential_test import proven
from learning.core.stopping import KAPPA, KAPPA_DISTANCE, WORTH, StopState, agreement, stop_signal
from learning.core.strategies import select

POOL = 2000
CLASSES = 10
POINTS = 12  # of a curve that is extrapolated: enough, and quick
MOST = 1600  # labels of a simulated project
REAL_MOST = 500
GAPS = (2.0, 5.0, 10.0)  # points between the target and the height that the curve nears
BEYOND = -0.5
PROOF_SHARE = 0.9
BLIND = 0.25  # of all questions, where the hold-out grows along


@dataclass(frozen=True)
class Course:
    labels: NDArray[np.int64]  # (R,)
    accuracy: NDArray[np.float64]  # (R,), the true one
    gain: NDArray[np.float64]  # (R,), the true one of 100 more labels
    top: float  # what the accuracy nears
    kappas: list[float | None]  # of each model and the one before, on the pool
    right: NDArray[np.bool_]  # (R, H) hold-out answers


@dataclass(frozen=True)
class Stop:
    """Labels asked, those of a growing hold-out included."""

    at: float | None
    reached: bool  # the target, truly, at that moment
    first: float | None  # by a rule that knows the truth
    look: float  # by a rule that looks once
    end: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stopping", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="4 projects a row, simulated only")
    parser.add_argument("--seeds", type=int, default=100, help="simulated projects a row (100)")
    parser.add_argument("--holdouts", type=int, nargs="*", default=[500, 2000], help="of simulated projects")
    parser.add_argument("--real", type=int, default=10, help="real projects a row (10)")
    parser.add_argument("--sets", nargs="*", default=["digits", "MNIST-5k"], help="real pictures")
    ways = {"labelled": False, "growing": True}
    parser.add_argument("--ways", nargs="+", default=list(ways), choices=list(ways), help="of the hold-out")
    options = parser.parse_args()
    growing = [ways[way] for way in options.ways]
    rows: list[dict[str, object]] = []
    claims: list[Claim] = []
    seeds = range(4 if options.quick else options.seeds)
    with threadpool_limits(1):
        for holdout in options.holdouts:
            courses = [simulated(seed, holdout) for seed in seeds]
            for grows in growing:
                _rows(f"simulated, {holdout}", courses, grows, rows, claims)
        for name, learn in () if options.quick else _real(options.sets):
            courses = [learn(seed) for seed in range(options.real)]
            for grows in growing:
                _rows(name, courses, grows, rows, claims)
    print_report("stopping", rows, claims)


def _rows(
    name: str, courses: list[Course], grows: bool, rows: list[dict[str, object]], claims: list[Claim]
) -> None:
    name += " growing" if grows else ""
    asked = [Asked(course, grows) for course in courses]
    for gap in (*GAPS, BEYOND):
        played = [play(one, gap) for one in asked]
        stops = [one for one in played if one.at is not None]
        able = [one for one in played if one.first is not None]
        false = 100 * sum(not one.reached for one in stops) / len(played)
        excess = [100 * ((one.at or one.end) / one.first - 1) for one in able if one.first]
        look = [100 * (one.look / one.first - 1) for one in able if one.first]
        rows.append(
            {
                "projects, hold-out": name,
                "target below top": gap,
                "projects": len(played),
                "stopped": len(stops),
                "could have": len(able),
                "false %": false,
                "excess %, median": float(np.median(excess)) if excess else float("nan"),
                "p90": float(np.quantile(excess, 0.9)) if excess else float("nan"),
                "one look, median": float(np.median(look)) if look else float("nan"),
            }
        )
        where = f"{name}, target {gap:g} points below the top"
        claims.append(Claim(f"false stops, {where}", 5.0, false, "%"))
        if excess:
            claims.append(Claim(f"median excess labels, {where}", 15.0, float(np.median(excess)), "%"))


class Asked:
    """Round after round of 20 questions: what the rule sees, and when it says stop."""

    def __init__(self, course: Course, grows: bool) -> None:
        self.course, self.grows = course, grows
        self.holdout: int = course.right.shape[1]
        self._gains: dict[int, Gain] = {}

    def known(self, r: int) -> int:
        """Hold-out labels by the model of round r, if a quarter of the questions is blind all the time."""
        along = int(self.course.labels[r] * BLIND / (1 - BLIND))
        return min(self.holdout, along if self.grows else self.holdout)

    def right(self, r: int, known: int) -> int:
        return int(self.course.right[r, :known].sum())

    def gain(self, r: int) -> Gain:
        if r not in self._gains:
            kept = np.unique(np.linspace(0, r, min(POINTS, r + 1)).round().astype(int)).tolist()
            rounds = [(at, self.known(at)) for at in kept]
            self._gains[r] = predicted_gain(
                [CurvePoint(int(self.course.labels[at]), self.right(at, n), n) for at, n in rounds]
            )
        return self._gains[r]

    def stop(self, target: float) -> tuple[int, int] | None:
        """The round whose model is kept, and the number of labels asked. More blind ones when the signal says
        that only the proof is missing, as the queue does."""
        course, pool, known = self.course, 0.0, 0.0 if self.grows else float(self.holdout)
        share = BLIND if self.grows else 0.0
        while True:
            step = min(KAPPA_DISTANCE * share, self.holdout - known)
            pool, known = pool + KAPPA_DISTANCE - step, known + step
            r = int(pool / KAPPA_DISTANCE) - 1
            if r >= len(course.labels):
                return None
            if r < 2:
                continue
            n = int(known)
            correct, kappa = self.right(r, n), course.kappas[r]
            sure = proven(correct, n, target, self.holdout)
            share = BLIND if self.grows else 0.0
            # What costs most is asked last, where it matters.
            if kappa is None or kappa < KAPPA or not (sure or (self.grows and n < self.holdout)):
                continue
            signal = stop_signal(
                correct=correct, n=n, target=target, kappa=kappa, gain=self.gain(r), holdout=self.holdout
            )
            if signal.state is StopState.STOP:
                return r, int(pool + (known if self.grows else 0))
            if signal.only_proof and self.grows:
                share = PROOF_SHARE


def play(asked: Asked, gap: float) -> Stop:
    course = asked.course
    target = course.top - gap / 100
    reached = course.accuracy >= target
    steady = np.array([kappa is not None and kappa >= KAPPA for kappa in course.kappas])
    ideal = np.flatnonzero(reached & steady & (course.gain < WORTH))
    first = int(ideal[0]) if len(ideal) else None
    known = np.array([asked.known(r) for r in range(len(course.labels))])
    correct = np.array([asked.right(r, n) for r, n in enumerate(known.tolist())])
    total = course.labels + (known if asked.grows else 0)
    enough = binom.sf(correct - 1, known, target) <= 0.05
    looks = [r for r in range(first or 0, len(total)) if enough[r]]
    stopped = asked.stop(target)
    return Stop(
        at=None if stopped is None else float(stopped[1]),
        reached=stopped is not None and bool(reached[stopped[0]]),
        first=None if first is None else float(total[first]),
        look=float(total[looks[0] if looks else -1]),
        end=float(total[-1]),
    )


def simulated(seed: int, holdout: int) -> Course:
    """Item i is right while its difficulty, which moves a little with the labels, is below the accuracy."""
    rng = np.random.default_rng([seed, holdout])
    top, steep = rng.uniform(0.90, 0.995), rng.uniform(0.5, 1.3)
    drop = top - rng.uniform(0.3, 0.7)
    labels = np.arange(KAPPA_DISTANCE, MOST + 1, KAPPA_DISTANCE)

    def smooth(at: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(top - drop * (at / KAPPA_DISTANCE) ** -steep)

    accuracy = np.clip(smooth(labels) + rng.normal(0, 0.002, len(labels)), 0, 1)
    truth = np.arange(POOL) % CLASSES
    hard_pool, hard_holdout = rng.random(POOL), rng.random(holdout)
    given, right = [], []
    for n, now in zip(labels, accuracy, strict=True):
        spread = 0.006 / np.sqrt(n / KAPPA_DISTANCE)
        moved = hard_pool + rng.normal(0, spread, POOL)
        given.append(np.where(moved < now, truth, (truth + 1) % CLASSES))
        right.append(hard_holdout + rng.normal(0, spread, holdout) < now)
    gain = smooth(labels + 100) - smooth(labels)
    return Course(labels, accuracy, gain, top, _kappas(given), np.array(right))


def _kappas(given: list[NDArray[np.int64]]) -> list[float | None]:
    return [None, *map(agreement, given[:-1], given[1:])]


def _real(names: list[str]) -> Iterator[tuple[str, Callable[[int], Course]]]:
    """Name and maker of courses: so many pictures are the pool and the hold-out, the rest the truth."""
    sets = [(digits(), 900, 360), *((found, 1000, 500) for found in larger_sets())]
    for pictures, pool, holdout in sets:
        if pictures.name in names:
            features = _features(pictures)

            def learn(
                seed: int,
                features: NDArray[np.float32] = features,
                labels: NDArray[np.int64] = pictures.labels,
                pool: int = pool,
                holdout: int = holdout,
            ) -> Course:
                return learned(features, labels, pool, holdout, seed)

            yield f"{pictures.name}, {holdout}", learn


def _features(pictures: Pictures) -> NDArray[np.float32]:
    backbone = BACKBONES["efficientnet-lite0"]
    embedder = Embedder(backbone.export(), threads=1)
    images = pictures.prepared(backbone.input_size)
    return np.concatenate([embedder.embed(images[at : at + 64]) for at in range(0, len(images), 64)])


def learned(
    features: NDArray[np.float32], labels: NDArray[np.int64], pool: int, holdout: int, seed: int
) -> Course:
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    held, rest = order[pool : pool + holdout], order[pool + holdout :]
    known, left = order[:KAPPA_DISTANCE], order[KAPPA_DISTANCE:pool]
    given, right, accuracy = [], [], []
    while True:
        data = TrainingData(features[known], labels[known], CLASSES)
        head = METHODS["transfer"].fit(data, {}, rng)
        given.append(head.logits(features[order[:pool]]).argmax(axis=1))
        right.append(head.logits(features[held]).argmax(axis=1) == labels[held])
        accuracy.append(float((head.logits(features[rest]).argmax(axis=1) == labels[rest]).mean()))
        if len(known) >= REAL_MOST:
            break
        asked = Pool(size=len(left), proba=softmax(head.logits(features[left])))
        chosen = select("margin", asked, KAPPA_DISTANCE, rng).query.indices
        known, left = np.concatenate([known, left[chosen]]), np.delete(left, chosen)
    best = np.maximum.accumulate(accuracy)
    later = np.minimum(np.arange(len(best)) + 100 // KAPPA_DISTANCE, len(best) - 1)
    return Course(
        labels=np.arange(KAPPA_DISTANCE, REAL_MOST + 1, KAPPA_DISTANCE),
        accuracy=np.array(accuracy),
        gain=best[later] - best,
        top=float(best[-1]),
        kappas=_kappas(given),
        right=np.array(right),
    )


if __name__ == "__main__":
    main()
