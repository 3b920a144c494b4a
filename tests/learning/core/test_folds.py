import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from learning.core.methods import METHODS
from learning.core.methods.folds import folds, held_out_answers
from tests.learning.core.test_methods import clusters


@given(st.lists(st.integers(0, 4), min_size=2, max_size=40), st.integers(2, 5), st.integers(0, 99))
def test_every_fold_learns_from_every_class_and_holds_out_each_item_once(
    labels: list[int], count: int, seed: int
) -> None:
    given_labels: NDArray[np.int64] = np.array(labels)
    parts = folds(given_labels, count, np.random.default_rng(seed))
    for training, held_out in parts:
        assert set(given_labels[training].tolist()) == set(labels)
        assert len(held_out)
        assert sorted([*training.tolist(), *held_out.tolist()]) == list(range(len(labels)))
    held = [row for _, held_out in parts for row in held_out.tolist()]
    assert sorted(held) == [i for i, label in enumerate(labels) if labels.count(label) > 1]


def test_held_out_answers_come_from_heads_that_never_saw_them() -> None:
    data = clusters(n=30)
    noise = np.random.default_rng(0).permutation(data.labels)  # labels nobody can learn
    parts = folds(noise, 5, np.random.default_rng(0))
    shuffled = type(data)(data.embeddings, noise, 3)
    right = held_out_answers(
        lambda p: METHODS["transfer"].fit(p, {}, np.random.default_rng(0)), shuffled, parts
    )
    assert len(right) == 30
    assert right.mean() < 0.7
