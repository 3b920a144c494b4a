"""Canaries of equal models that are rolled back, and failing ones that are found.

All runs go on side by side: the same evidence and limits as `decide`, on arrays. In a few runs `decide`
itself is asked now and then, and must say the same.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.rollouts.table import Table
from serving.core.modes import MODES
from serving.core.modes.canary import SURE, Block, Config, Evidence, Traffic
from serving.core.statistics.burst import log_since_any
from serving.core.statistics.mean_difference import half_width
from serving.core.statistics.rate_test import log_excess
from serving.core.statistics.strata import Stratum, UnitSpread, pooled_difference

Floats = NDArray[np.float64]
REQUESTS = 50  # a second
SLOW = 0.01  # of the champion's answers, by the meaning of the limit
AUDITED = 0.1  # of the answers get a label
ACCURACY = 0.9
LABELS, LOOKED_AT = 2000, 200  # of each step, where units keep their arm; a look after so many
CHECKED = 3  # runs that `decide` follows
CHECKED_EVERY = 30.0  # seconds, and where the arrays say that it is taken back


@dataclass(frozen=True)
class World:
    """Error rates at a time in seconds from the beginning, (runs,) or one for all."""

    champion: Callable[[float, np.random.Generator, int], Floats | float]
    challenger: Callable[[float, Floats | float], Floats | float]


def steady(rate: float) -> World:
    return World(lambda at, rng, runs: rate, lambda at, champion: champion)


def stormy(at: float, rng: np.random.Generator, runs: int) -> Floats:
    """Ten minutes in which the whole server fails more or less, differently every ten seconds."""
    return np.minimum(0.3, 0.002 * np.exp(1.5 * rng.standard_normal(runs)))


def failing(rate: float, after: float, champion: float) -> World:
    return World(lambda at, rng, runs: champion, lambda at, old: rate if at >= after else old)


def rolled_back(
    world: World, runs: int, tick: float, rng: np.random.Generator, until: float, config: Config
) -> Floats:
    """(runs,): the second of each run's rollback; inf for none until then. Every step takes its hold time."""
    ends = np.full(runs, np.inf)
    labels = np.zeros((runs, len(config.steps), 4))
    at = 0.0
    for step, share in enumerate(config.steps):
        blocks = math.ceil(config.hold_seconds / config.block_seconds)
        # By block: requests, errors, slow of the challenger, then of the champion
        seen = np.zeros((blocks, 6, runs))
        began = at
        while at < min(until, began + config.hold_seconds):
            old_rate = world.champion(at, rng, runs)
            rates = world.challenger(at, old_rate), old_rate
            block = int((at - began) / config.block_seconds)
            at += tick
            for arm, part in enumerate((share, 1 - share)):
                requests = rng.poisson(REQUESTS * tick * part, runs)
                seen[block, 3 * arm : 3 * arm + 3] += (
                    requests,
                    rng.binomial(requests, rates[arm]),
                    rng.binomial(requests, SLOW),
                )
                audited = rng.binomial(requests, AUDITED)
                labels[:, step, 2 - 2 * arm : 4 - 2 * arm] += np.stack(
                    [rng.binomial(audited, ACCURACY), audited], 1
                )
            now = _trips(seen[: block + 1], labels, step, config)
            for run in range(CHECKED):
                if np.isinf(ends[run]) and (now[run] or at % CHECKED_EVERY < tick):
                    told = _decided(seen[: block + 1, :, run], labels[run], step, at - began, config)
                    assert now[run] == told
            ends = np.where(np.isinf(ends) & now, at, ends)
    return ends


def _trips(seen: Floats, labels: Floats, step: int, config: Config) -> NDArray[np.bool_]:
    """(runs,) of `seen` (J, 6, runs). No event counts more than 1 / share: only enough are reckoned with."""
    tripped = np.zeros(seen.shape[-1], bool)
    numbers = np.arange(len(seen))
    for place, (what, ratio) in enumerate((("errors", config.error_ratio), ("slow", config.slow_ratio)), 1):
        limit = -np.log(config.level(what, step))
        enough = seen[:, place].sum(axis=0) * -np.log(config.steps[step]) >= limit
        counts = seen[:, [0, 3, place, place + 3]][..., enough]  # (J, 4, enough)
        excess = partial(log_excess, share_now=config.steps[step], ratio=ratio)
        tripped[enough] |= log_since_any(counts, numbers, excess) >= limit
    found = pooled_difference(labels)
    half = half_width(
        found.variance, np.maximum(found.n, 1), config.level("accuracy", step), config.planned_labels
    )
    worse = (found.n >= max(SURE, 2 * config.min_labels)) & (found.difference + half < 0)
    return np.asarray(tripped | worse)


def _decided(seen: Floats, labels: Floats, step: int, seconds: float, config: Config) -> bool:
    new, old = (_traffic(part) for part in np.split(seen.sum(axis=0), 2))
    blocks = [Block(number, _traffic(of[3:]), _traffic(of[:3])) for number, of in enumerate(seen)]
    strata = tuple(Stratum(*map(int, row)) for row in labels)
    evidence = Evidence(step, seconds, old, new, strata, blocks=tuple(blocks))
    return MODES["canary"].decide(config, evidence).action == "roll_back"


def _traffic(counts: Floats) -> Traffic:
    return Traffic(*map(int, counts))


def sticky_rolled_back(units: int, runs: int, rng: np.random.Generator, config: Config) -> float:
    """The share of runs in which labels of an equal model take it back: each unit keeps its arm, and what one
    sends is harder or easier by 5 points than what another does. `LABELS` in each step.
    """
    ended = 0
    for _ in range(runs):
        unit = rng.integers(0, units, LABELS * len(config.steps))
        period = np.arange(len(unit)) // LABELS
        new = rng.random(units)[unit] < np.array(config.steps)[period]
        accuracy = np.clip(rng.normal(ACCURACY, 0.05, units), 0, 1)
        right = rng.random(len(unit)) < accuracy[unit]
        ended += any(
            _taken_back(n, period, new, right, unit, config)
            for n in range(LOOKED_AT, len(unit) + 1, LOOKED_AT)
        )
    return ended / runs


def _taken_back(
    n: int,
    period: NDArray[np.int64],
    new: NDArray[np.bool_],
    right: NDArray[np.bool_],
    unit: NDArray[np.int64],
    config: Config,
) -> bool:
    """By the first n labels."""
    step = int(period[n - 1])
    groups = (right & ~new, ~new, right & new, new)
    counts = [np.bincount(period[:n], of[:n], minlength=step + 1) for of in groups]
    strata = tuple(Stratum(*map(int, row)) for row in np.transpose(counts))
    spread = UnitSpread.of(period[:n], new[:n], right[:n], unit[:n])
    evidence = Evidence(step=step, labels=strata, units=spread)
    return MODES["canary"].decide(config, evidence).action == "roll_back"


def simulate(table: Table, rng: np.random.Generator, *, quick: bool) -> None:
    config = Config()
    runs, tick = 500 if quick else 10_000, 30.0 if quick else 10.0
    equal = {
        "0.1% errors": steady(0.001),
        "1% errors": steady(0.01),
        "errors in storms": World(stormy, lambda at, champion: champion),
    }
    for name, world in equal.items():
        ends = rolled_back(world, runs, tick, rng, np.inf, config)
        table.claim(
            f"canary: equal models rolled back, {name}", 1.0, 100 * float(np.isfinite(ends).mean()), "%", runs
        )
    few = 10 if quick else 1000
    for units in (20, 100, 500):
        share = 100 * sticky_rolled_back(units, few, rng, config)
        name = f"canary: equal models rolled back by labels, {units} units that differ by 5 points"
        table.claim(name, 1.0, share, "%", few)
    runs = 200 if quick else 4000
    for after, old in ((0.0, 0.0), (0.0, 0.001), (300.0, 0.0), (300.0, 0.001)):
        ends = rolled_back(failing(0.05, after, old), runs, 1.0, rng, after + 150, config) - after
        name = f"canary: 5% errors at 5% and 50/s, {100 * old:g}% before, after {after:.0f} s healthy"
        table.tell(f"{name}: median", float(np.median(ends)), "s", runs)
        table.tell(f"{name}: found within 60 s", 100 * float((ends <= 60).mean()), "%", runs)
        if after == 0 and old == 0:
            table.claim(f"{name}: 95% found within", 60, float(np.quantile(ends, 0.95)), "s", runs)
