"""A/B tests and shadows: equal models that are peeked at all the time, and the labels a better one takes."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from benchmarks.rollouts.table import Table
from serving.core.modes import ab
from serving.core.modes.failures import RULES, levels
from serving.core.statistics.cuped import adjusted_difference
from serving.core.statistics.mean_difference import anytime_p
from serving.core.statistics.sample_ratio import log_mismatch_evidence
from serving.core.statistics.sign_test import log_sign_evidence

Floats = NDArray[np.float64]
ALPHA = levels(ab.Config().alpha, RULES).compared  # a shadow's is the same
AT_ONCE = 100  # runs, for the memory
ACCURACY, BETTER = 0.85, 0.03
DIFFERING = 0.10  # of the items, exactly one model is right
CONFIDENCE = 0.35  # correlation of the champion's confidence with being right, as calibrated models have it


def outcomes(
    runs: int, labels: int, gain: float, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Floats]:
    """(runs, labels): whether the champion is right, whether the challenger is, the champion's confidence."""
    only_new, only_old = (DIFFERING + gain) / 2, (DIFFERING - gain) / 2
    draw = rng.random((runs, labels))
    old = draw < ACCURACY
    new = (draw < ACCURACY - only_old) | (draw >= 1 - only_new)
    spread = np.sqrt(1 / CONFIDENCE**2 - 1) * np.sqrt(ACCURACY * (1 - ACCURACY))
    return old, new, old + spread * rng.standard_normal((runs, labels))


def ab_p_values(
    gain: float, runs: int, labels: int, rng: np.random.Generator, *, cuped: bool
) -> tuple[Floats, Floats]:
    """(runs, labels): after each label, the p-value that holds at any time, and the z of a test of one look.
    1 and 0 where an arm has fewer labels than the test asks for.
    """
    old, new, confidence = outcomes(runs, labels, gain, rng)
    arm = rng.random((runs, labels)) < 0.5
    y, x = np.where(arm, new, old).astype(float), confidence if cuped else np.zeros((runs, labels))
    terms = (np.ones_like(y), y, y * y, x, x * x, x * y)
    champion, challenger = (
        np.array([(term * side).cumsum(axis=1) for term in terms]) for side in (~arm, arm)
    )
    enough = np.minimum(champion[0], challenger[0]) >= ab.Config().min_units
    with np.errstate(divide="ignore", invalid="ignore"):
        found = adjusted_difference(champion, challenger)
        n, config = np.arange(1, labels + 1), ab.Config()
        p = anytime_p(found.difference, found.variance, n, ALPHA, config.planned_units)
        z = found.difference / np.sqrt(found.variance)
    return np.where(enough, p, 1.0), np.where(enough, z, 0.0)


def first(reached: NDArray[np.bool_]) -> Floats:
    """(runs, n) -> (runs,): after how many, inf for never."""
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)


def simulate(table: Table, rng: np.random.Generator, *, quick: bool) -> None:
    _equal(table, rng, 2000, 1500 if quick else 5000)
    ab_labels = _better(table, rng, 200 if quick else 1000)
    _confidence(table, rng, ab_labels, 200 if quick else 1000)
    _sample_ratio(table, rng, 500 if quick else 2000)


def _equal(table: Table, rng: np.random.Generator, runs: int, labels: int) -> None:
    limit = ndtri(0.975)
    wrong = dict.fromkeys(("anytime", "z", "cuped", "shadow"), 0)
    for _ in range(runs // AT_ONCE):
        for cuped in (False, True):
            p, z = ab_p_values(0.0, AT_ONCE, labels, rng, cuped=cuped)
            wrong["cuped" if cuped else "anytime"] += int((p <= ALPHA).any(axis=1).sum())
            wrong["z"] += 0 if cuped else int((abs(z) > limit).any(axis=1).sum())
        old, new, _x = outcomes(AT_ONCE, labels, 0.0, rng)
        log_e = log_sign_evidence((new & ~old).cumsum(axis=1), (old & ~new).cumsum(axis=1))
        wrong["shadow"] += int((log_e >= -np.log(ALPHA)).any(axis=1).sum())
    share = {name: 100 * count / runs for name, count in wrong.items()}
    told = f"equal models, {labels} labels, looked at after each"
    table.claim(f"A/B: found different, {told}", 5.0, share["anytime"], "%", runs)
    table.claim(f"A/B with CUPED: found different, {told}", 5.0, share["cuped"], "%", runs)
    table.tell(f"test of one look (z): found different, {told}", share["z"], "%", runs)
    table.claim(f"shadow (McNemar): found different, {told}", 5.0, share["shadow"], "%", runs)


def _better(table: Table, rng: np.random.Generator, runs: int) -> Floats:
    ends = []
    for _ in range(runs // AT_ONCE):
        p, _z = ab_p_values(BETTER, AT_ONCE, 20_000, rng, cuped=False)
        ends.append(first(p <= ALPHA))
    ab_labels = np.concatenate(ends)
    old, new, _x = outcomes(runs, 10_000, BETTER, rng)
    log_e = log_sign_evidence((new & ~old).cumsum(axis=1), (old & ~new).cumsum(axis=1))
    shadow_labels = first(log_e >= -np.log(ALPHA))
    told = f"{100 * ACCURACY:.0f}% against {100 * (ACCURACY + BETTER):.0f}% right: median"
    table.tell(f"A/B: labels until decided, {told}", float(np.median(ab_labels)), "labels", runs)
    table.tell(f"shadow: labels until decided, {told}", float(np.median(shadow_labels)), "labels", runs)
    ratio = float(np.median(shadow_labels) / np.median(ab_labels))
    table.claim("shadow: labels until decided, as a share of A/B's", 0.25, ratio, "", runs)
    return ab_labels


def _confidence(table: Table, rng: np.random.Generator, plain: Floats, runs: int) -> None:
    ends = []
    for _ in range(runs // AT_ONCE):
        p, _z = ab_p_values(BETTER, AT_ONCE, 20_000, rng, cuped=True)
        ends.append(first(p <= ALPHA))
    ratio = float(np.median(np.concatenate(ends)) / np.median(plain))
    table.tell("A/B with CUPED: labels until decided, as a share of those without", ratio, "", runs)


def _sample_ratio(table: Table, rng: np.random.Generator, runs: int) -> None:
    limit = -np.log(ab.MISMATCH)
    weights = {"challenger": 0.5, "champion": 0.5}
    for lost, name in (
        (0.0, "nothing lost"),
        (0.05, "5% of the challenger's lost"),
        (0.1, "10% of the challenger's lost"),
    ):
        found = 0
        for _ in range(runs):
            assigned = rng.binomial(200, 0.5, 100)
            new = (assigned - rng.binomial(assigned, lost)).cumsum()
            old = (200 - assigned).cumsum()
            evidence = [
                log_mismatch_evidence({"challenger": int(a), "champion": int(b)}, weights)
                for a, b in zip(new, old, strict=True)
            ]
            found += max(evidence) >= limit
        told = f"A/B: wrong split noticed in 20,000 units, {name}"
        if lost:
            table.tell(told, 100 * found / runs, "%", runs)
        else:
            table.claim(told, 0.1 + 0.3, 100 * found / runs, "%", runs)
