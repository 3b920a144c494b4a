import numpy as np
import pytest

from learning.core.evaluation import wilson
from learning.core.learning_curve import CurvePoint, predicted_curve, predicted_gain


def curve(
    top: float, drop: float, steep: float, until: int, holdout: int, rng: np.random.Generator | None = None
) -> list[CurvePoint]:
    points = []
    for labels in range(20, until + 1, 20):
        p = top - drop * (labels / 20) ** -steep
        points.append(CurvePoint(labels, p * holdout if rng is None else rng.binomial(holdout, p), holdout))
    return points


def test_a_curve_measured_well_is_continued() -> None:
    found = predicted_gain(curve(0.95, 0.4, 0.7, until=200, holdout=100_000))
    truth = 0.4 * (10**-0.7 - 15**-0.7)
    assert found.mean == pytest.approx(truth, abs=0.004)
    assert found.low <= truth <= found.high


def test_the_interval_holds_the_true_gain_of_nineteen_curves_in_twenty() -> None:
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(200):
        drop, steep = rng.uniform(0.2, 0.6), rng.uniform(0.3, 1.5)
        until = int(rng.choice([60, 100, 200, 400]))
        top = rng.uniform(0.8, 0.99)
        found = predicted_gain(curve(top, drop, steep, until, 300, rng))
        truth = drop * ((until / 20) ** -steep - ((until + 100) / 20) ** -steep)
        inside.append(found.low <= truth <= found.high)
    assert np.mean(inside) >= 0.93


def test_the_curve_goes_on_from_the_last_measurement_and_knows_less_the_further_it_looks() -> None:
    points = curve(0.95, 0.4, 0.7, until=200, holdout=2000)
    now, soon, late = predicted_curve(points, [0, 100, 400])
    assert [one.labels for one in (now, soon, late)] == [200, 300, 600]
    assert now.mean == pytest.approx(points[-1].correct / 2000, abs=0.01)
    assert now.low < now.mean < now.high
    assert soon.mean - now.mean == pytest.approx(predicted_gain(points, 100).mean, abs=1e-3)
    # Ten measurements on the same hold-out do not know the level better than one.
    assert (now.low, now.high) == pytest.approx(wilson(points[-1].correct, 2000), abs=2e-3)
    assert now.mean < soon.mean < late.mean < late.high <= 1
    assert late.high - late.low > soon.high - soon.low
    with pytest.raises(ValueError, match="from 0 on"):
        predicted_curve(points, [-1])


@pytest.mark.parametrize("values", [[0.9, 0.9, 0.9], [0.9, 0.85, 0.8], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
def test_three_points_flat_falling_perfect_or_hopeless_give_a_sane_answer(values: list[float]) -> None:
    found = predicted_gain([CurvePoint(20 * i + 20, v * 200, 200) for i, v in enumerate(values)])
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert found.mean < 0.06


def test_a_long_flat_curve_promises_nothing_and_more_labels_add_more() -> None:
    flat = [CurvePoint(100 * i, 1960, 2000) for i in range(1, 8)]
    assert predicted_gain(flat).mean < 0.002
    rising = curve(0.95, 0.4, 0.7, until=100, holdout=500)
    assert (
        predicted_gain(rising, 200).mean > predicted_gain(rising, 100).mean > predicted_gain(rising, 10).mean
    )


@pytest.mark.parametrize(
    "points",
    [
        [CurvePoint(20, 9, 10), CurvePoint(40, 9, 10)],
        [CurvePoint(20, 9, 10), CurvePoint(20, 9, 10), CurvePoint(40, 9, 10)],
        [CurvePoint(20, 9, 0), CurvePoint(30, 9, 10), CurvePoint(40, 9, 10)],
        [CurvePoint(20, 19, 10), CurvePoint(30, 9, 10), CurvePoint(40, 9, 10)],
    ],
)
def test_too_little_to_extrapolate_is_refused(points: list[CurvePoint]) -> None:
    with pytest.raises(ValueError, match=r"three points|needs a hold-out"):
        predicted_gain(points)
