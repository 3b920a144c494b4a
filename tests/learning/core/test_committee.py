"""A committee of a thousand classes is scored without arrays of gigabytes, and as one array would be."""

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from learning.core.committee import members_say, scored
from learning.core.methods import METHODS, TrainingData, softmax
from learning.core.pool import Pool
from learning.core.strategies import STRATEGIES, select
from learning.core.strategies.bald import mutual_information
from learning.core.strategies.committee import votes

ALONE = [name for name, one in STRATEGIES.items() if "committee" in one.needs and name != "batchbald"]


@pytest.fixture(scope="module")
def members() -> NDArray[np.float32]:
    """80 MB of single precision: 5 models, 4,000 items, 1,000 classes."""
    found = np.random.default_rng(0).random((5, 4000, 1000), dtype=np.float32) ** 20
    found /= found.sum(axis=2, keepdims=True)
    return found


@pytest.mark.parametrize("name", ALONE)
def test_a_thousand_classes_take_less_memory_than_the_committee_itself(
    name: str, members: NDArray[np.float32]
) -> None:
    pool = Pool(4000, committee=members)
    tracemalloc.start()
    try:
        query = select(name, pool, 4000, np.random.default_rng(0)).query
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sorted(query.indices.tolist()) == list(range(4000))
    assert peak < members.nbytes


def test_blocks_give_what_one_array_gives(members: NDArray[np.float32]) -> None:
    some = members[:, :1500]
    whole = mutual_information(some.astype(np.float64))
    np.testing.assert_allclose(scored(mutual_information, some), whole, atol=1e-12)


def test_votes_for_many_labels_are_counted_by_who_agrees_with_whom(members: NDArray[np.float32]) -> None:
    some = members[:, :500].copy()
    some[3] = some[1]
    some[4, ::2] = some[0, ::2]
    for item, found in enumerate(votes(some)):
        _, counts = np.unique(some[:, item].argmax(axis=1), return_counts=True)
        share = counts / 5
        assert found == pytest.approx(-(share * np.log(share)).sum())


def test_members_say_what_each_head_says() -> None:
    rng = np.random.default_rng(0)
    data = TrainingData(rng.normal(size=(40, 6)).astype(np.float32), np.arange(40) % 4, 4)
    heads = [METHODS[name].fit(data, {}, rng) for name in ("transfer", "prototypes")]
    found = members_say(heads, data.embeddings)
    assert found.dtype == np.float32
    expected = np.stack([softmax(head.logits(data.embeddings)) for head in heads])
    np.testing.assert_allclose(found, expected, atol=1e-7)
