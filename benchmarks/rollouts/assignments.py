"""Ten million clients: do they fall on the arms evenly, and does anyone move when a share widens?"""

import time

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from benchmarks.rollouts.table import Table
from serving.core.assignment import BUCKETS, buckets, ranges
from serving.core.modes import CHALLENGER, MODES, Split, State


def simulate(table: Table, rng: np.random.Generator, *, quick: bool) -> None:
    keys = 1_000_000 if quick else 10_000_000
    names = np.char.add(b"client-", np.arange(keys).astype(np.bytes_))
    seed = f"rollout-{int(rng.integers(10**6))}"
    began = time.perf_counter()
    found = buckets(seed, names)
    table.tell("assignment: keys hashed", keys / (time.perf_counter() - began), "1/s", keys)
    counts = np.bincount(found, minlength=BUCKETS)
    squared = float(((counts - keys / BUCKETS) ** 2 / (keys / BUCKETS)).sum())
    table.tell(
        "assignment: p that the buckets are even (chi-squared)", float(chdtrc(BUCKETS - 1, squared)), "", keys
    )
    shares = (0.01, 0.05, 0.25, 0.5, 0.9)
    off = {share: abs(float((found < share * BUCKETS).mean()) - share) for share in shares}
    table.tell("assignment: an arm's share off by, at most", 100 * max(off.values()), "points", keys)
    errors = max(off[share] / np.sqrt(share * (1 - share) / keys) for share in shares)
    table.claim("assignment: an arm's share off by, in standard errors, at most", 4, float(errors), "", keys)
    other = buckets(f"{seed}-again", names)
    both = float(((found < BUCKETS / 2) & (other < BUCKETS / 2)).mean())
    table.tell("assignment: off by, in the same half under two seeds", 100 * abs(both - 0.25), "points", keys)
    mode = MODES["canary"]
    moved, before = 0, np.zeros(keys, bool)
    for step in range(len(mode.config().steps)):
        now = _challenged(found, mode.split(mode.config(), State(step=step)))
        moved += int((before & ~now).sum())
        before = now
    for narrow, wide in ((0.1, 0.2), (0.2, 0.8), (0.8, 1.0)):
        arms = [_arms(found, coverage) for coverage in (narrow, wide)]
        moved += int(((arms[0] >= 0) & (arms[0] != arms[1])).sum())
    table.claim("assignment: clients moved out of their arm by widening", 0, moved, "clients", keys)


def _challenged(found: NDArray[np.int64], split: Split) -> NDArray[np.bool_]:
    place = next(one for one in ranges(split.weights) if one.arm == CHALLENGER)
    return (found / BUCKETS >= place.low) & (found / BUCKETS < place.high)


def _arms(found: NDArray[np.int64], coverage: float) -> NDArray[np.int64]:
    """Which of three arms, -1 for none."""
    arms = np.full(len(found), -1)
    for number, place in enumerate(ranges({"a": 0.5, "b": 0.3, "c": 0.2}, coverage)):
        arms[(found / BUCKETS >= place.low) & (found / BUCKETS < place.high)] = number
    return arms
