"""What a bandit costs while it learns, when labels come late; and what its log says each arm is worth.

Every change of shares is `decide`'s, on the labels that have arrived.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.rollouts.table import Table
from serving.core.modes import CHALLENGER, CHAMPION, bandit
from serving.core.modes.bandit import ALL, Answers, Config, Evidence
from serving.core.statistics.off_policy import (
    OffPolicySums,
    doubly_robust,
    inverse_propensity,
    self_normalised,
)

DELAY = 500  # labels come so many predictions later
PREDICTIONS = 10_000
ARMS = (CHALLENGER, CHAMPION)


@dataclass(frozen=True)
class Run:
    regret: float  # right answers missed, as a share of those that even shares miss
    action: str  # "" while it goes on
    sums: OffPolicySums  # of the worse arm


def play(rates: tuple[float, float], rng: np.random.Generator) -> Run:
    """`rates`: how often the challenger and the champion are right."""
    config = Config()
    weight, labels_at_change = 0.5, 0
    weights: dict[str, dict[str, float]] = {}
    arm, right = np.empty(PREDICTIONS, np.int64), np.empty(PREDICTIONS, bool)
    propensity = np.empty(PREDICTIONS)
    action = ""
    for at in range(0, PREDICTIONS, config.batch_labels):
        batch = slice(at, at + config.batch_labels)
        arm[batch] = np.where(rng.random(config.batch_labels) < weight, 0, 1)
        propensity[batch] = weight
        right[batch] = rng.random(config.batch_labels) < np.array(rates)[arm[batch]]
        if action:
            continue
        known = max(0, at + config.batch_labels - DELAY)
        answers = {
            name: _answers(arm, right, known, at + config.batch_labels, one) for one, name in enumerate(ARMS)
        }
        evidence = Evidence(answers=answers, weights=weights, labels_at_change=labels_at_change)
        verdict = bandit.decide(config, evidence)
        if verdict.action in ("promote", "roll_back"):
            action = verdict.action
            weight = 1.0 if action == "promote" else 0.0
        elif verdict.state is not None:
            weights, labels_at_change = verdict.state.weights, known
            weight = weights[ALL][CHALLENGER]
    best, worse = int(np.argmax(rates)), int(np.argmin(rates))
    gap = abs(rates[0] - rates[1])
    regret = float((arm != best).sum() * gap / (PREDICTIONS * gap / 2))
    used = propensity * (1 - propensity) > 0  # while both answered
    chance = (propensity if worse == 0 else 1 - propensity)[used]
    sums = OffPolicySums.of(arm[used] == worse, chance, right[used].astype(float), np.full(used.sum(), 0.8))
    return Run(regret, action, sums)


def _answers(arm: NDArray[np.int64], right: NDArray[np.bool_], known: int, asked: int, which: int) -> Answers:
    mine = arm[:known] == which
    good = int((mine & right[:known]).sum())
    return Answers(good, int(mine.sum()) - good, int((arm[known:asked] == which).sum()))


def simulate(table: Table, rng: np.random.Generator, *, quick: bool) -> None:
    runs = 6 if quick else 100
    for challenger in (0.90, 0.87, 0.80):
        rates = (challenger, 0.85)
        played = [play(rates, rng) for _ in range(runs)]
        name = f"bandit: {100 * rates[0]:.0f}% against {100 * rates[1]:.0f}% right, labels {DELAY} later"
        regret = 100 * np.array([run.regret for run in played])
        told = f"{name}: regret in {PREDICTIONS:,} predictions, of even shares'"
        table.claim(told, 40.0, float(regret.mean()), "%", runs)
        wrong = "roll_back" if challenger > rates[1] else "promote"
        ended = [run.action for run in played]
        table.tell(
            f"{name}: ended with the better",
            _percent(one not in ("", wrong) for one in ended),
            "%",
            runs,
        )
        table.tell(f"{name}: ended with the worse", _percent(one == wrong for one in ended), "%", runs)
        if challenger == 0.87:
            for title, estimate in (
                ("IPS", inverse_propensity),
                ("SNIPS", self_normalised),
                ("DR", doubly_robust),
            ):
                values = [estimate(run.sums) for run in played]
                error = 100 * (np.array([one.mean for one in values if one]) - min(rates))
                spread = float(error.std(ddof=1) / np.sqrt(runs))
                table.tell(
                    f"{name}: {title} of the worse arm, error", float(error.mean()), "points", runs, spread
                )


def _percent(held: Iterable[bool]) -> float:
    return 100 * float(np.mean(list(held)))
