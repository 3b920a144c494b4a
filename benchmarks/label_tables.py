"""What `benchmarks.labels` says of its runs: accuracy at each budget, and labels saved against random."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Claim

SAVING = {"MNIST-5k": 6.0, "Fashion-MNIST": 2.5}
TOLERATED = -0.5  # points below random
DRAWS = 2_000
ONE_RUN = "one run"

Found = dict[int, float]  # accuracy in % at a number of labels


def table_rows(
    data: str,
    strategy: str,
    model: str,
    budgets: Sequence[int],
    found: Sequence[Found],
    chance: Sequence[Found],
) -> Iterator[dict[str, object]]:
    """One row a budget: mean accuracy, and its difference to random's with an interval.

    A single run has none: resampling it gives it again, and a width of 0 would read as certainty.
    """
    for budget in budgets:
        values = np.array([one[budget] for one in found])
        pairs = values - np.array([one.get(budget, np.nan) for one in chance[: len(found)]])
        low, high = _interval(pairs) if len(pairs) > 1 else (ONE_RUN, ONE_RUN)
        yield {
            "data": data,
            "strategy": strategy,
            "model": model,
            "seeds": len(found),
            "labels": budget,
            "%": float(values.mean()),
            "- random": float(pairs.mean()),
            "from": low,
            "to": high,
        }


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """95%, of the mean: bootstrap over the seeds."""
    draws = np.random.default_rng(0).choice(values, (DRAWS, len(values))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def against_random(
    data: str, budgets: Sequence[int], auto: Sequence[Found], chance: Sequence[Found]
) -> list[Claim]:
    """Labels that random needs for auto's accuracy, and how far auto is ever below it."""
    grid = sorted(chance[0])
    curve = np.maximum.accumulate([np.mean([one[b] for one in chance]) for b in grid])
    claims = []
    for budget in budgets:
        reached = float(np.mean([one[budget] for one in auto]))
        if reached > curve[-1]:
            needed, words = float(grid[-1]), f", more than {grid[-1]:,} labels at random"
        else:
            needed, words = float(np.exp(np.interp(reached, curve, np.log(grid)))), ""
        claims.append(
            Claim(
                f"{data}, {budget} labels: those of random, for as much accuracy{words}",
                SAVING.get(data, 1.0),
                needed / budget,
                "times",
                more_is_better=True,
            )
        )
    worst = min(
        float(np.mean([one[b] for one in auto]) - np.mean([one[b] for one in chance])) for b in budgets
    )
    claims.append(
        Claim(
            f"{data}: auto over random at the worst budget", TOLERATED, worst, "points", more_is_better=True
        )
    )
    return claims
