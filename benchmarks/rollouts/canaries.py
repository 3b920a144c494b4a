"""Canaries of equal models that are rolled back, and failing ones that are found.

All runs go on side by side: the same evidence and limits as `decide`, on arrays. In a few runs `decide`
itself is asked at every tick, and must say the same.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.rollouts.table import Table
from serving.core.modes import MODES
from serving.core.modes.canary import SURE, Config, Evidence, Traffic
from serving.core.statistics.mean_difference import half_width
from serving.core.statistics.rate_test import log_excess_evidence, null_share
from serving.core.statistics.strata import Stratum, pooled_difference

Floats = NDArray[np.float64]
REQUESTS = 50  # a second
SLOW = 0.01  # of the champion's answers, by the meaning of the limit
AUDITED = 0.1  # of the answers get a label
ACCURACY = 0.9
CHECKED = 3  # runs that `decide` follows


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
        seen = np.zeros((6, runs))  # requests, errors, slow of the challenger, then of the champion
        began = at
        while at < min(until, began + config.hold_seconds):
            old_rate = world.champion(at, rng, runs)
            rates = world.challenger(at, old_rate), old_rate
            at += tick
            for arm, part in enumerate((share, 1 - share)):
                requests = rng.poisson(REQUESTS * tick * part, runs)
                seen[3 * arm : 3 * arm + 3] += (
                    requests,
                    rng.binomial(requests, rates[arm]),
                    rng.binomial(requests, SLOW),
                )
                audited = rng.binomial(requests, AUDITED)
                labels[:, step, 2 - 2 * arm : 4 - 2 * arm] += np.stack(
                    [rng.binomial(audited, ACCURACY), audited], 1
                )
            now = _trips(seen, labels, step, config)
            for run in range(CHECKED):
                assert now[run] == _decided(seen[:, run], labels[run], step, at - began, config)
            ends = np.where(np.isinf(ends) & now, at, ends)
    return ends


def _trips(seen: Floats, labels: Floats, step: int, config: Config) -> NDArray[np.bool_]:
    new, new_errors, new_slow, old, old_errors, old_slow = seen
    share = config.steps[step]
    errors = log_excess_evidence(new_errors, old_errors, null_share(new, old, share, config.error_ratio))
    slow = log_excess_evidence(new_slow, old_slow, null_share(new, old, share, config.slow_ratio))
    found = pooled_difference(labels)
    half = half_width(
        found.variance, np.maximum(found.n, 1), config.level("accuracy", step), config.planned_labels
    )
    worse = (found.n >= max(SURE, 2 * config.min_labels)) & (found.difference + half < 0)
    tripped = errors >= -np.log(config.level("errors", step))
    return np.asarray(tripped | (slow >= -np.log(config.level("slow", step))) | worse)


def _decided(seen: Floats, labels: Floats, step: int, seconds: float, config: Config) -> bool:
    new, old = (Traffic(*map(int, part)) for part in (seen[:3], seen[3:]))
    strata = tuple(Stratum(*map(int, row)) for row in labels)
    evidence = Evidence(step=step, seconds=seconds, champion=old, challenger=new, labels=strata)
    return MODES["canary"].decide(config, evidence).action == "roll_back"


def simulate(table: Table, rng: np.random.Generator, *, quick: bool) -> None:
    config = Config()
    runs, tick = 10_000, 30.0 if quick else 5.0
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
    runs = 1000 if quick else 10_000
    for after, old in ((0.0, 0.0), (0.0, 0.001), (300.0, 0.0), (300.0, 0.001)):
        ends = rolled_back(failing(0.05, after, old), runs, 1.0, rng, after + 150, config) - after
        name = f"canary: 5% errors at 5% and 50/s, {100 * old:g}% before, after {after:.0f} s healthy"
        table.tell(f"{name}: median", float(np.median(ends)), "s", runs)
        table.tell(f"{name}: found within 60 s", 100 * float((ends <= 60).mean()), "%", runs)
        if after == 0 and old == 0:
            table.claim(f"{name}: 95% found within", 60, float(np.quantile(ends, 0.95)), "s", runs)
