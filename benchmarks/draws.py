"""Could the stop signal go by the interval of a project without a hold-out? How often does it miss the truth?

A project of simulated images asks a quarter of its questions at random, the others as a strategy picks them,
and has a model after every 20. Each answer is judged by a model that did not learn from it, the accuracy is
estimated from the draws (`learning.core.lure`), and its interval is looked at after every model. A project
counts as missed if the interval lies above the true accuracy of its model at any look: then it could say that
an accuracy is proven which is not reached. The intervals promise 5% at most, of both sides together.

The models of a project are one, or they learn: their errors fall, and `moved` of them are others each time.
A strategy finds what a model is wrong about, or is blind to it; "shunned" is one that avoids it.
"""

import argparse
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Claim, print_report
from learning.core.confidence_sequence import anytime_interval
from learning.core.lure import drawn_accuracy

DRAWN = 0.25  # of all questions
STEP = 20
MOST = 1_600
POOLS = (500, 2_000, 10_000)
ERRORS = (0.02, 0.1)  # what a model's errors near
LEARNS = {"one model": (0.0, 0.0), "learning": (0.3, 0.0), "learning, moved": (0.3, 0.5)}  # falls by, moved
SIGHTS = {"finds": 1.0, "blind": 0.0, "shunned": -1.0}
LEVEL = 5.0  # %


@dataclass(frozen=True)
class Missed:
    """Of one project, at any look: does the interval lie above the truth, or anywhere but around it?"""

    above: bool
    beside: bool
    labels: float  # plain random ones that the last look's estimate is worth
    width: float  # of the last look's interval


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.draws", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="40 projects a row, the smallest pool")
    parser.add_argument("--seeds", type=int, default=200, help="projects a row (200)")
    options = parser.parse_args()
    seeds = range(40 if options.quick else options.seeds)
    pools = POOLS[:1] if options.quick else POOLS
    rows: list[dict[str, object]] = []
    claims: list[Claim] = []
    for pool, error, learns, sight in itertools.product(pools, ERRORS, LEARNS, SIGHTS):
        found = [project(pool, error, learns, sight, seed) for seed in seeds]
        above = 100 * float(np.mean([one.above for one in found]))
        rows.append(
            {
                "images": pool,
                "errors near, %": 100 * error,
                "models": learns,
                "strategy": sight,
                "projects": len(found),
                "above the truth, %": above,
                "beside it, %": 100 * float(np.mean([one.beside for one in found])),
                "worth, labels": float(np.mean([one.labels for one in found])),
                "width, points": 100 * float(np.mean([one.width for one in found])),
            }
        )
        where = f"{pool:,} images, errors near {100 * error:g}%, {learns}, {sight}"
        claims.append(
            Claim(f"projects whose interval was above the truth at any look, {where}", LEVEL, above, "%")
        )
    print_report("draws", rows, claims)


def project(pool: int, error: float, learns: str, sight: str, seed: int) -> Missed:
    """All looks at one project's interval."""
    rng = np.random.default_rng([seed, pool])
    falls, moved = LEARNS[learns]
    hard = rng.random(pool)  # an image is answered wrongly while this is below the model's errors
    doubt = -SIGHTS[sight] * hard + rng.normal(0, 0.3, pool)
    count = min(MOST, int(0.8 * pool)) // STEP * STEP
    order, drawn = asked(doubt, count, rng)
    above, beside, worth, width = False, False, 0.0, 1.0
    for known in range(STEP, count + 1, STEP):
        now = error + falls * (known / STEP) ** -0.7
        other = rng.random(pool) < moved
        wrong = np.where(other, rng.random(pool), hard) < now
        truth = 1 - float(wrong.mean())
        found = drawn_accuracy(~wrong[order[:known]], drawn[:known], pool)
        low, high = anytime_interval(found.accuracy * found.effective, found.effective)
        above |= low > truth
        beside |= not low <= truth <= high
        worth, width = found.effective, high - low
    return Missed(above, beside, worth, width)


def asked(
    doubt: NDArray[np.float64], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Rows in the order of asking, and which were drawn, evenly from what was left; the others are those of
    most doubt."""
    by_chance, by_doubt = rng.permutation(len(doubt)), np.argsort(-doubt)
    drawn = rng.random(count) < DRAWN
    drawn[0] = True  # before the first draw there is no estimate
    gone = np.zeros(len(doubt), dtype=bool)
    lists = (_left(by_doubt, gone), _left(by_chance, gone))
    return np.array([next(lists[int(one)]) for one in drawn], np.int64), drawn


def _left(order: Sequence[int] | NDArray[np.int64], gone: NDArray[np.bool_]) -> Iterator[int]:
    for row in order:
        if not gone[row]:
            gone[row] = True
            yield int(row)


if __name__ == "__main__":
    main()
