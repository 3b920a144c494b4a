"""False notices of drift, and what is noticed, in windows of live traffic."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.rollouts.table import Table
from serving.core.statistics.drift import ALPHA, WINDOW, answers_drift, input_reference, inputs_drift, traits

Floats = NDArray[np.float64]
POOL, FEATURES, CLASSES = 2000, 32, 10


def simulate(table: Table, rng: np.random.Generator, *, quick: bool) -> None:
    windows = 1000 if quick else 20_000
    p = np.arange(1, CLASSES + 1) / np.arange(1, CLASSES + 1).sum()
    moved = p * np.exp(0.3 * (-1) ** np.arange(CLASSES))
    names = [str(one) for one in range(CLASSES)]
    for told, live in (("without drift", p), ("classes 35% up and 26% down", moved / moved.sum())):
        found = 0
        for _ in range(windows if told == "without drift" else windows // 10):
            histograms = rng.multinomial(POOL, p), rng.multinomial(WINDOW, live)
            drift = answers_drift(*(dict(zip(names, one.tolist(), strict=True)) for one in histograms))
            found += drift.p < ALPHA
        _tell(table, "of answers", told, found, windows)
    mixing = rng.standard_normal((FEATURES, FEATURES)) / np.sqrt(FEATURES)
    many = np.tanh(rng.standard_normal((10_000, FEATURES)) @ mixing)
    spread, axes = np.linalg.eigh(np.cov(many, rowvar=False))
    along = axes[:, -3] * np.sqrt(spread[-3])  # one of the main directions
    kinds: dict[str, Callable[[Floats], Floats]] = {
        "without drift": lambda x: x,
        "shifted by 0.3 of a spread in one direction": lambda x: x + 0.3 * along,
        "noisier by 10%": lambda x: x * 1.1,
        "5% of the images strange": lambda x: np.where(rng.random((len(x), 1)) < 0.05, 4 * x, x),
    }
    for told, change in kinds.items():
        found, many = 0, windows if told == "without drift" else windows // 10
        for at in range(many):
            if at % 5 == 0:  # the pool is drawn anew, too
                reference = input_reference(np.tanh(rng.standard_normal((POOL, FEATURES)) @ mixing))
            seen: Floats = change(np.tanh(rng.standard_normal((WINDOW, FEATURES)) @ mixing))
            found += inputs_drift(traits(seen, reference).sum(axis=0), WINDOW, reference).p < ALPHA
        _tell(table, "of inputs", told, found, windows)


def _tell(table: Table, what: str, told: str, found: int, windows: int) -> None:
    name = f"drift {what} noticed in {WINDOW} predictions, {told}"
    if told == "without drift":
        # Three standard errors above what is asked for are chance.
        share = 100 * found / windows
        aim = 100 * (ALPHA + 3 * np.sqrt(ALPHA / windows))
        table.claim(name, round(float(aim), 3), share, "%", windows)
    else:
        table.tell(name, 100 * found / (windows // 10), "%", windows // 10)
