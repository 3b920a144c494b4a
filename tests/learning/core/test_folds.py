from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from learning.core.methods import METHODS, Head, TrainingData
from learning.core.methods.folds import HeldOut, best_of, folds, held_out
from tests.learning.core.test_methods import clusters


@given(st.lists(st.integers(0, 4), min_size=2, max_size=40), st.integers(2, 5), st.integers(0, 99))
def test_every_fold_learns_from_every_class_and_holds_out_each_item_once(
    labels: list[int], count: int, seed: int
) -> None:
    given_labels: NDArray[np.int64] = np.array(labels)
    parts = folds(given_labels, count, np.random.default_rng(seed))
    for training, asked in parts:
        assert set(given_labels[training].tolist()) == set(labels)
        assert len(asked)
        assert sorted([*training.tolist(), *asked.tolist()]) == list(range(len(labels)))
    held = [row for _, asked in parts for row in asked.tolist()]
    assert sorted(held) == [i for i, label in enumerate(labels) if labels.count(label) > 1]


def test_held_out_answers_come_from_heads_that_never_saw_them() -> None:
    data = clusters(n=30)
    noise = np.random.default_rng(0).permutation(data.labels)  # labels nobody can learn
    parts = folds(noise, 5, np.random.default_rng(0))
    found = held_out(_transfer, type(data)(data.embeddings, noise, 3), parts)
    assert len(found.right) == 30
    assert found.right.mean() < 0.7
    assert found.likelihood < np.log(1 / 3) + 0.1  # calibrated, it claims no more than a guess


def test_likelihood_tells_features_apart_that_answer_as_many_rightly() -> None:
    data = clusters(n=60)
    vague = data.embeddings + np.random.default_rng(1).normal(size=data.embeddings.shape) * 1.5
    worse = replace(data, embeddings=vague.astype(np.float32))
    parts = folds(data.labels, 5, np.random.default_rng(0))
    clear, blurred = held_out(_transfer, data, parts), held_out(_transfer, worse, parts)
    assert clear.right.sum() == blurred.right.sum() == 60
    assert clear.likelihood > blurred.likelihood + 0.01
    # It rewards nobody for the scale of the logits, and knows the entropy of a plain guess.
    louder = HeldOut(3 * clear.logits, clear.labels)
    assert louder.likelihood == pytest.approx(clear.likelihood, abs=0.01)
    assert HeldOut(np.zeros((4, 2), np.float32), np.array([0, 1, 0, 1])).likelihood == pytest.approx(
        -np.log(2)
    )


def test_what_is_in_use_stays_unless_another_is_surely_ahead() -> None:
    rng = np.random.default_rng(0)
    labels: NDArray[np.int64] = np.arange(40) % 2

    def answers(right: float) -> HeldOut:
        """Logits that lean to the true class, by so much in the mean."""
        lean = right + rng.normal(size=40)
        return HeldOut(np.stack([-lean, lean], axis=1).astype(np.float32) * (2 * labels - 1)[:, None], labels)

    used, better = answers(0.5), answers(3.0)
    assert best_of([used, better]) == (1, True)
    assert best_of([better, used]) == best_of([used, used]) == (0, True)
    # Of equals one leads always, and by more than a standard error in one of six pairs: 16% each way.
    equals = [best_of([answers(1.0), answers(1.0)]) for _ in range(200)]
    assert 60 < sum(best == 1 for best, _ in equals) < 140
    assert 14 < sum(best == 1 and surely for best, surely in equals) < 54


def _transfer(data: TrainingData) -> Head:
    return METHODS["transfer"].fit(data, {}, np.random.default_rng(0))
