import numpy as np
import pytest
from scipy.stats import chi2_contingency, kstest

from serving.core.statistics.drift import answers_drift, input_reference, inputs_drift, traits


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


def test_without_drift_any_p_is_as_likely_as_any_other_and_drift_is_found() -> None:
    rng = np.random.default_rng(0)
    pool = np.tanh(rng.standard_normal((3000, 24)) @ rng.standard_normal((24, 24)) / 5)
    reference = input_reference(pool)
    found = []
    for _ in range(300):
        live = pool[rng.integers(0, 3000, 200)]
        # Drawn from the pool itself, so the pool is no sample: its own size plays no part.
        away = traits(live, reference).mean(axis=0) - reference.mean
        found.append(inputs_drift(traits(live, reference).sum(axis=0), 200, reference).p)
        assert np.isfinite(away).all()
    assert kstest(found, "uniform").pvalue > 0.001
    live = pool[:200]
    assert inputs_drift(traits(live, reference).sum(axis=0), 200, reference).p > 0.001
    strange = np.concatenate([live[:180], 5 * live[180:]])
    for drifted in (live + 0.3 * pool.std(axis=0), 1.3 * live, strange):
        one = inputs_drift(traits(drifted, reference).sum(axis=0), 200, reference)
        assert one.p < 1e-4
        assert one.size is not None
        assert one.size > 0.1
    assert inputs_drift(np.zeros(17), 0, reference).p == 1


def test_a_pool_that_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 32 images, not 5"):
        input_reference(np.zeros((5, 8)))
    with pytest.raises(ValueError, match="not finite"):
        input_reference(np.full((100, 8), np.nan))
    # Features that never vary are no direction.
    flat = np.concatenate([np.random.default_rng(0).random((100, 3)), np.ones((100, 5))], axis=1)
    assert input_reference(flat).directions.shape == (8, 3)
