import json

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from scipy.stats import binomtest

from learning.core.evaluation import evaluate, fit_temperature, wilson


def overconfident(n: int, factor: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from the softmax of the logits, which are then exaggerated by the factor."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 4)) * 2
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1).astype(np.int64)
    return logits * factor, labels


@pytest.mark.parametrize(("correct", "n"), [(0, 1), (1, 1), (0, 20), (20, 20), (17, 20), (900, 1000)])
def test_the_interval_is_scipys_wilson(correct: int, n: int) -> None:
    expected = binomtest(correct, n).proportion_ci(confidence_level=0.95, method="wilson")
    assert wilson(correct, n) == pytest.approx((expected.low, expected.high))


def test_the_temperature_undoes_overconfidence() -> None:
    logits, labels = overconfident(4000, 3.0)
    assert fit_temperature(logits, labels) == pytest.approx(3.0, rel=0.05)


def test_the_temperature_has_the_least_negative_log_likelihood() -> None:
    logits, labels = overconfident(300, 2.0)
    right = logits.argmax(axis=1) == labels

    def loss(t: float) -> float:
        prior = np.log(t) ** 2 / 2
        sure = softmax(logits / t, axis=1).max(axis=1)
        return float(prior - sum(np.log(s if ok else 1 - s) for s, ok in zip(sure, right, strict=True)))

    best = min(np.linspace(0.5, 5, 500), key=loss)
    assert fit_temperature(logits, labels) == pytest.approx(best, abs=0.01)
    assert minimize_scalar(loss, bounds=(0.5, 5), method="bounded").fun == pytest.approx(
        loss(fit_temperature(logits, labels))
    )


def test_a_class_the_model_has_never_seen_does_not_make_it_doubt_the_others() -> None:
    logits, labels = overconfident(1000, 2.0)
    logits = np.column_stack([logits, np.full(1000, -9.0)])
    labels[:200] = 4
    result = evaluate(logits, labels)
    assert result.temperature < 10
    assert result.ece is not None
    assert result.ece < 0.1


def test_calibration_is_measured_on_the_other_half() -> None:
    logits, labels = overconfident(4000, 3.0)
    result = evaluate(logits, labels)
    assert result.ece is not None
    assert result.ece < 0.03
    assert sum(b["n"] for b in result.reliability) == 4000
    assert len(result.reliability) <= 15
    # Labels that have nothing to do with the logits: no half can learn the other's answers.
    noise = np.random.default_rng(1).integers(0, 4, 40)
    assert (evaluate(logits[:40], noise).ece or 0) >= 0


def test_counts_are_what_brute_force_counts() -> None:
    logits, labels = overconfident(200, 1.0)
    result = evaluate(logits, labels)
    guess = logits.argmax(axis=1)
    assert result.accuracy == pytest.approx((guess == labels).mean())
    for truth in range(4):
        for said in range(4):
            assert result.confusion[truth][said] == int(((labels == truth) & (guess == said)).sum())
        assert result.per_class[truth] == {
            "index": truth,
            "n": int((labels == truth).sum()),
            "correct": int(((labels == truth) & (guess == truth)).sum()),
        }


def test_without_labels_nothing_is_claimed() -> None:
    result = evaluate(np.empty((0, 3)), np.empty(0, dtype=np.int64))
    assert (result.n, result.accuracy, result.low, result.high, result.ece) == (0, None, None, None, None)
    assert result.temperature == 1.0
    assert result.confusion == [[0] * 3] * 3


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_few_labels_give_a_wide_interval_and_a_sane_temperature(n: int) -> None:
    result = evaluate(np.tile([5.0, 0.0], (n, 1)), np.zeros(n, dtype=np.int64))
    assert result.accuracy == 1.0
    assert result.low is not None
    assert result.low < 0.5
    assert result.ece is not None
    assert 0.2 < result.temperature < 5


def test_a_single_class_is_judged() -> None:
    result = evaluate(np.zeros((5, 1)), np.zeros(5, dtype=np.int64))
    assert result.accuracy == 1.0
    assert result.ece == pytest.approx(0.0)


def test_the_result_is_json() -> None:
    logits, labels = overconfident(50, 1.0)
    assert json.loads(json.dumps(evaluate(logits, labels).as_json()))["n"] == 50


def test_logits_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        evaluate(np.array([[np.nan, 1.0]]), np.array([0]))
