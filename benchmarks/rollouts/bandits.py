"""What a bandit costs while it learns, when labels come late; whether it ends rightly where classes or hours
differ, or few clients stick to their arm; and what its log says each arm is worth.

Every change of shares is `decide`'s, on the labels that have arrived.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.rollouts.table import Table
from serving.core.modes import CHALLENGER, CHAMPION, State, bandit
from serving.core.modes.bandit import Answers, Config, Evidence
from serving.core.modes.failures import RULES
from serving.core.statistics.contrast import ContrastSums
from serving.core.statistics.off_policy import (
    OffPolicySums,
    doubly_robust,
    inverse_propensity,
    self_normalised,
)

DELAY = 500  # labels come so many predictions later
PREDICTIONS = 10_000
ARMS = (CHALLENGER, CHAMPION)
# (K, 2): how often the challenger and the champion are right about each class, all equally frequent, at a
# prediction's number.
World = Callable[[int], NDArray[np.float64]]


def steady(*classes: tuple[float, float]) -> World:
    return lambda at: np.array(classes)


def restless(at: int) -> NDArray[np.float64]:
    """Both arms alike; what clients send is now easy and now hard."""
    return np.full((1, 2), 0.95 if at // 750 % 2 == 0 else 0.75)


@dataclass(frozen=True)
class Run:
    regret: float  # right answers missed, as a share of those that even shares miss
    action: str  # "" while it goes on
    sums: OffPolicySums  # of the worse arm
    labels: float  # at its end; inf without


def play(world: World, rng: np.random.Generator, config: Config | None = None, delay: int = DELAY) -> Run:
    config = config or Config()
    labels_at_change = 0
    state = State()
    kinds = len(world(0))
    kind, arm = rng.integers(0, kinds, PREDICTIONS), np.empty(PREDICTIONS, np.int64)
    right, propensity = np.empty(PREDICTIONS, bool), np.empty(PREDICTIONS)  # of the challenger
    action, ended = "", np.inf
    for at in range(0, PREDICTIONS, config.batch_labels):
        batch, asked = slice(at, at + config.batch_labels), at + config.batch_labels
        shares = [bandit.split(config, state, str(one)).weights[CHALLENGER] for one in range(kinds)]
        if action:
            shares = [float(action == "promote")] * kinds
        propensity[batch] = np.array(shares)[kind[batch]]
        arm[batch] = np.where(rng.random(config.batch_labels) < propensity[batch], 0, 1)
        right[batch] = rng.random(config.batch_labels) < world(at)[kind[batch], arm[batch]]
        if action:
            continue
        known = max(0, asked - delay)
        chance = np.where(arm == 0, propensity, 1 - propensity)[:known]
        evidence = Evidence(
            answers=_answers(arm, right, known, asked),
            by_class={
                str(one): _answers(arm, right, known, asked, kind == one)
                for one in range(kinds if config.by_class else 0)
            },
            weights=state.weights,
            labels_at_change=labels_at_change,
            contrast=ContrastSums.of(arm[:known] == 0, chance, right[:known]),
            rules=RULES,
        )
        verdict = bandit.decide(config, evidence)
        if verdict.action in ("promote", "roll_back"):
            action, ended = verdict.action, known
        elif verdict.state is not None:
            state, labels_at_change = verdict.state, known
    best = int(np.argmax(world(0).mean(axis=0)))
    regret = 2 * float((arm != best).mean())
    used = propensity * (1 - propensity) > 0  # while both answered
    chance = (1 - propensity if best == 0 else propensity)[used]
    sums = OffPolicySums.of(arm[used] != best, chance, right[used].astype(float), np.full(used.sum(), 0.8))
    return Run(regret, action, sums, ended)


def _answers(
    arm: NDArray[np.int64],
    right: NDArray[np.bool_],
    known: int,
    asked: int,
    which: NDArray[np.bool_] | bool = True,
) -> dict[str, Answers]:
    found = {}
    for one, name in enumerate(ARMS):
        mine = (arm == one) & which
        good = int((mine & right)[:known].sum())
        found[name] = Answers(good, int(mine[:known].sum()) - good, int(mine[known:asked].sum()))
    return found


def simulate(table: Table, rng: np.random.Generator, *, quick: bool) -> None:
    runs = 6 if quick else 100
    for challenger in (0.90, 0.87, 0.80):
        rates = (challenger, 0.85)
        played = [play(steady(rates), rng) for _ in range(runs)]
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
        ends = float(np.median([run.labels for run in played]))
        table.tell(f"{name}: labels until it ends, median", ends, "labels", runs)
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
    _wrong_ends(table, rng, 4 if quick else 100)


def _wrong_ends(table: Table, rng: np.random.Generator, runs: int) -> None:
    """Where pooled counts err: shares follow the class, or what is hard comes when shares are others."""
    told = f"{PREDICTIONS:,} labels, looked at after every {Config().batch_labels}"
    either = ("promote", "roll_back")
    for name, world, by_class, wrong in (
        ("equal arms", steady((0.85, 0.85)), False, either),
        ("equal arms in an easy and a hard class", steady((0.97, 0.97), (0.55, 0.55)), True, either),
        (
            "1.5 points worse, better in the easy class",
            steady((0.97, 0.95), (0.55, 0.60)),
            True,
            ("promote",),
        ),
        ("equal arms, easy and hard hours", restless, False, either),
    ):
        ends = [play(world, rng, Config(by_class=by_class), delay=0).action for _ in range(runs)]
        share = _percent(one in wrong for one in ends)
        table.claim(f"bandit: ended wrongly, {name}, {told}", 5.0, share, "%", runs)
    many = 5 * runs
    for units in (10, 50, 200, 1000):
        share = _percent(_sticky_ends(units, 5000, rng) for _ in range(many))
        name = f"bandit: ended wrongly, equal arms, {units} units that differ by 10 points, 5,000 labels"
        table.claim(name, 5.0, share, "%", many)


def _sticky_ends(units: int, labels: int, rng: np.random.Generator) -> bool:
    """Whether it ends, of equal arms: what a unit sends is easier or harder by 10 points than what another
    does. Even shares that do not change, where units keep their arm longest.
    """
    unit = rng.integers(0, units, labels)
    new = (rng.random(units) < 0.5)[unit]
    right = rng.random(labels) < np.clip(rng.normal(0.85, 0.1, units), 0, 1)[unit]
    arm = np.where(new, 0, 1)
    for known in range(250, labels + 1, 250):
        evidence = Evidence(
            answers=_answers(arm, right, known, known),
            labels_at_change=known,
            contrast=ContrastSums.of(new[:known], np.full(known, 0.5), right[:known], unit[:known]),
            rules=RULES,
        )
        if bandit.decide(Config(), evidence).action in ("promote", "roll_back"):
            return True
    return False


def _percent(held: Iterable[bool]) -> float:
    return 100 * float(np.mean(list(held)))
