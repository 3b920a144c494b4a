import pytest
from scipy.stats import chi2_contingency

from serving.core.statistics.drift import answers_drift


def test_answers_are_compared_by_the_likelihood_ratio_test() -> None:
    pool, live = {"a": 900, "b": 600, "c": 500}, {"a": 200, "b": 180, "c": 120}
    expected = chi2_contingency(
        [[900, 600, 500], [200, 180, 120]], correction=False, lambda_="log-likelihood"
    )
    assert answers_drift(pool, live).p == pytest.approx(expected.pvalue)
    assert answers_drift(pool, {"a": 0, "b": 500}).p < 1e-6
    assert answers_drift(pool, {"new": 60, **live}).p < 1e-6
    # A class seen once in 500 is no alarm, and neither is a window without anything.
    assert answers_drift(pool, {"a": 224, "b": 150, "c": 125, "new": 1}).p > 0.01
    assert answers_drift(pool, {}).p == 1
    assert answers_drift({"a": 10}, {"a": 500}).p == 1
