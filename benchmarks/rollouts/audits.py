"""How right is the model on live traffic, when a query strategy chose what people label?

The strategy takes the least sure answers, an even audit stream a share of all. Each label's inclusion
probability is known: 1 where the strategy took it, the audit's share where it did not.
"""

import numpy as np

from benchmarks.rollouts.table import Table
from serving.core.statistics.weighting import WeightedSums

TRAFFIC = 5000
CHOSEN = 0.08  # of the traffic, by the strategy
AUDITED = 0.1  # evenly


def simulate(table: Table, rng: np.random.Generator, *, quick: bool) -> None:
    runs = 400 if quick else 4000
    plain, corrected, audit, covered = [], [], [], 0
    for _ in range(runs):
        confidence = rng.beta(6, 1.2, TRAFFIC)
        right = rng.random(TRAFFIC) < confidence
        chosen = np.zeros(TRAFFIC, bool)
        chosen[np.argsort(confidence)[: int(CHOSEN * TRAFFIC)]] = True
        audited = rng.random(TRAFFIC) < AUDITED
        labelled = chosen | audited
        weight = np.where(chosen, 1.0, 1 / AUDITED)[labelled]
        sums = WeightedSums.of(right[labelled].astype(float), weight)
        truth, mean = right.mean(), sums.mean or 0.0
        plain.append(right[labelled].mean() - truth)
        audit.append(right[audited].mean() - truth)
        corrected.append(mean - truth)
        covered += bool(abs(mean - truth) <= 1.96 * np.sqrt(sums.variance))
    told = f"audit: accuracy from labels of which {100 * CHOSEN:.0f}% were chosen"
    for name, errors in (
        ("not corrected", plain),
        ("the audit stream alone", audit),
        ("corrected", corrected),
    ):
        of_mean = 100 * float(np.std(errors, ddof=1)) / np.sqrt(runs)
        table.tell(f"{told}, {name}: error", 100 * float(np.mean(errors)), "points", runs, of_mean)
        table.tell(f"{told}, {name}: spread of a run", 100 * float(np.std(errors, ddof=1)), "points", runs)
    bias = abs(np.mean(corrected)) / np.std(corrected, ddof=1) * np.sqrt(runs)
    table.claim(f"{told}, corrected: |error| in standard errors", 3.0, float(bias), "", runs)
    table.claim(
        f"{told}, corrected: intervals of 95% that hold",
        94.0,
        100 * covered / runs,
        "%",
        runs,
        more_is_better=True,
    )
