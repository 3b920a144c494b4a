import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest, kstest
from sklearn.decomposition import PCA

from serving.core.statistics.input_drift import InputReference, input_reference, inputs_drift

Floats = NDArray[np.float32]


def drawn(rng: np.random.Generator, n: int, features: int = 300) -> Floats:
    """More features than half of the pool has images, some of them far from normal."""
    mixing = np.random.default_rng(1).standard_normal((24, features)) / np.arange(1, features + 1) ** 0.4
    hidden = np.tanh(rng.standard_normal((n, 24))) * rng.gamma(2, 0.5, (n, 1))
    return (hidden @ mixing + 0.1 * rng.standard_normal((n, features))).astype(np.float32)


def p_of(live: Floats, reference: InputReference, rng: np.random.Generator) -> float:
    return inputs_drift(reference.places(live), reference, rng).p


def test_without_drift_any_p_is_as_likely_as_any_other_and_drift_is_found() -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(250):
        reference = input_reference(drawn(rng, 300), rng)
        found.append(p_of(drawn(rng, 200), reference, rng))
    assert kstest(found, "uniform").pvalue > 0.001
    assert binomtest(sum(p < 0.02 for p in found), len(found), 0.02, alternative="greater").pvalue > 0.001
    reference = input_reference(drawn(rng, 1500), rng)
    live = drawn(rng, 500)
    strange = np.concatenate([live[:420], 5 * live[420:]])
    for drifted in (live + 0.3 * live.std(axis=0), 1.5 * live, strange):
        one = inputs_drift(reference.places(drifted), reference, rng)
        assert one.p < 0.0005
        assert one.size is not None
        assert one.size > 0.1
    assert inputs_drift(np.empty((0, 16), np.float32), reference, rng).p == 1


def test_the_directions_are_the_principal_ones_of_the_images_that_do_not_judge() -> None:
    """By scikit-learn's whitened axes."""
    rng = np.random.default_rng(0)
    for n, features in ((1200, 40), (400, 900)):
        pool = drawn(rng, n, features)
        reference = input_reference(pool, np.random.default_rng(3))
        order = np.random.default_rng(3).permutation(n)
        finding, judging = pool[order[: n // 2]], pool[order[n // 2 :]]
        known = PCA(16, whiten=True, svd_solver="full").fit(finding).transform(judging)
        assert np.abs(reference.pool) == pytest.approx(np.abs(known), abs=0.02)
        assert reference.places(judging) == pytest.approx(reference.pool, abs=1e-4)


def test_a_pool_that_cannot_be_compared_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="200 images or more, not 5"):
        input_reference(np.zeros((5, 8), np.float32), rng)
    with pytest.raises(ValueError, match="not finite"):
        input_reference(np.full((400, 8), np.nan, np.float32), rng)
    with pytest.raises(ValueError, match="all the same"):
        input_reference(np.ones((400, 8), np.float32), rng)
    # Features that never vary are no direction.
    flat = np.concatenate([rng.random((400, 3)), np.ones((400, 5))], axis=1).astype(np.float32)
    assert input_reference(flat, rng).directions.shape == (8, 3)
