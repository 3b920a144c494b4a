import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from learning.core.learning_curve import Gain
from learning.core.stopping import StopState, agreement, stop_signal

SMALL = Gain(100, 0.002, 0.0, 0.004)
measured = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_the_sentence_is_the_one_people_read() -> None:
    found = stop_signal(correct=2943, n=3000, target=0.96, kappa=0.995, gain=SMALL, holdout=4000)
    assert found.state is StopState.STOP
    assert found.sentence == "98.1% (97.0-98.9); 100 more labels are expected to add 0.2; you can stop"
    on = stop_signal(
        correct=900, n=1000, target=0.9, kappa=0.9, gain=Gain(100, 0.02, 0.01, 0.03), holdout=1500
    )
    assert on.state is StopState.GO_ON
    assert on.sentence.endswith(
        "expected to add 2.0; go on: 90% is not proven and the model's answers still change and more labels "
        "are worth it"
    )


def test_it_says_what_a_proof_would_take() -> None:
    def said(correct: int, n: int, holdout: int | None) -> str:
        return stop_signal(correct=correct, n=n, target=0.95, kappa=1, gain=SMALL, holdout=holdout).sentence

    assert "95% is not proven (about 199 more hold-out labels would prove it)" in said(98, 100, 600)
    assert "95% is not proven (a hold-out of 120 is too small to prove it)" in said(98, 100, 120)
    assert said(590, 600, 600).endswith("you can stop")
    assert "98.0% (" in said(98, 100, None)
    assert "estimated without a hold-out" in said(98, 100, None)


def test_it_tells_when_only_the_proof_is_missing() -> None:
    def only_proof(correct: int, kappa: float) -> bool:
        found = stop_signal(correct=correct, n=100, target=0.95, kappa=kappa, gain=SMALL, holdout=600)
        return found.only_proof

    assert only_proof(98, 1.0)
    assert not only_proof(98, 0.9)
    assert not only_proof(94, 1.0)
    assert (
        "95% is not reached"
        in stop_signal(correct=94, n=100, target=0.95, kappa=1, gain=SMALL, holdout=600).sentence
    )
    assert not stop_signal(correct=598, n=600, target=0.95, kappa=1, gain=SMALL, holdout=600).only_proof


def test_when_nothing_is_left_to_ask_it_does_not_say_go_on() -> None:
    found = stop_signal(correct=9, n=10, target=0.95, kappa=1, gain=SMALL, holdout=10, left=0)
    assert found.state is StopState.NOTHING_LEFT
    assert found.sentence.endswith("nothing is left to learn from: import more images")


@settings(deadline=None)
@given(measured, st.floats(0.5, 0.99), st.floats(0, 1), st.floats(0, 0.1))
def test_it_stops_only_when_all_three_hold(
    counts: tuple[int, int], target: float, kappa: float, gain: float
) -> None:
    correct, n = counts
    found = stop_signal(
        correct=correct, n=n, target=target, kappa=kappa, gain=Gain(100, gain, 0, gain), holdout=200
    )
    assert found.low is not None
    holds = found.low >= target and kappa >= 0.99 and gain < 0.005
    assert (found.state is StopState.STOP) == holds
    assert found.sentence.endswith("you can stop") == holds


@settings(deadline=None)
@given(measured, st.floats(0.5, 0.99), st.floats(0.99, 1))
def test_one_more_right_answer_never_takes_a_stop_back(
    counts: tuple[int, int], target: float, kappa: float
) -> None:
    correct, n = counts

    def state(right: int, of: int) -> StopState:
        # Of a plan and of none; the step from one to the other is not asked for.
        holdout = 200 if n < 200 else 5000
        return stop_signal(correct=right, n=of, target=target, kappa=kappa, gain=SMALL, holdout=holdout).state

    if state(correct, n) is StopState.STOP:
        assert state(correct + 1, n + 1) is StopState.STOP


def test_what_is_not_measured_is_unknown() -> None:
    assert (
        "Nothing is measured"
        in stop_signal(correct=0, n=0, target=0.9, kappa=1, gain=SMALL, holdout=9).sentence
    )
    early = stop_signal(correct=99, n=100, target=0.5, kappa=None, gain=None, holdout=200)
    assert early.state is StopState.UNKNOWN
    with pytest.raises(ValueError, match="must lie between 0 and 1, not be 97"):
        stop_signal(correct=1, n=1, target=97, kappa=1, gain=SMALL, holdout=1)


def test_agreement_is_scikit_learns_kappa() -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, 4, 200)
    second = np.where(rng.random(200) < 0.8, first, rng.integers(0, 4, 200))
    assert agreement(first, second) == pytest.approx(cohen_kappa_score(first, second))
    assert agreement(np.zeros(5, np.int64), np.zeros(5, np.int64)) == 1
    with pytest.raises(ValueError, match="same items"):
        agreement(first, second[:3])


def test_without_a_holdout_nothing_is_proven_however_sure_the_estimate_looks() -> None:
    """Looked at after every label its interval is above the truth in more projects than its level says."""
    found = stop_signal(correct=4990.5, n=5000.2, target=0.95, kappa=1, gain=SMALL, holdout=None)
    assert found.low is not None
    assert found.low > 0.99
    assert (found.state, found.only_proof) == (StopState.GO_ON, False)
    assert found.sentence.endswith("go on: 95% cannot be proven without a hold-out")
    below = stop_signal(correct=90.5, n=100.2, target=0.95, kappa=1, gain=SMALL, holdout=None)
    assert below.sentence.endswith("go on: 95% is not reached")
    assert stop_signal(correct=4990, n=5000, target=0.95, kappa=1, gain=SMALL, holdout=5000).state == "stop"
