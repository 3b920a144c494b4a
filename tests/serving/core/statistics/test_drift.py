from collections.abc import Mapping

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from serving.core.statistics.drift import answers_drift
from serving.core.statistics.permutation import MOST

POOL = {"a": 900, "b": 600, "c": 500}


def p(live: Mapping[str, int], seed: int = 0, pool: Mapping[str, int] = POOL) -> float:
    return answers_drift(pool, live, np.random.default_rng(seed)).p


def test_of_common_classes_it_is_the_likelihood_ratio_test() -> None:
    live = {"a": 200, "b": 175, "c": 125}
    known = chi2_contingency([list(POOL.values()), list(live.values())], lambda_="log-likelihood")
    assert 0.01 < known.pvalue < 0.1
    assert np.mean([p(live, seed) for seed in range(20)]) == pytest.approx(known.pvalue, rel=0.2)


def test_what_differs_much_is_as_rare_as_can_be_told_and_what_cannot_be_compared_is_no_alarm() -> None:
    assert p({"a": 0, "b": 500}) == p({"new": 60, "a": 200, "b": 180, "c": 120}) == 1 / (MOST + 1)
    # A class seen once in 500 is no alarm, and neither is a window without anything.
    assert p({"a": 224, "b": 150, "c": 125, "new": 1}) > 0.01
    assert p({}) == 1
    assert p({"a": 500}, pool={"a": 10}) == 1


def test_rare_classes_raise_no_more_false_notices_than_promised() -> None:
    rng = np.random.default_rng(1)
    names = [str(one) for one in range(40)]
    shares = 0.8 ** np.arange(40) / (0.8 ** np.arange(40)).sum()
    windows = 400
    found = [
        p(dict(zip(names, live, strict=True)), seed, dict(zip(names, pool, strict=True)))
        for seed, (pool, live) in enumerate(
            zip(rng.multinomial(1_000, shares, windows), rng.multinomial(200, shares, windows), strict=True)
        )
    ]
    assert np.mean(np.array(found) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / windows)
