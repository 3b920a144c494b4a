"""A pool scored in shards gives what the whole pool gives."""

import numpy as np
import pytest
from scipy.special import softmax

from learning.core.geometry import Float32
from learning.core.pool import Pool
from learning.core.shard_scoring import keep_best, rank_kept, score_shard, unsure
from learning.core.strategies import select

EMBEDDINGS = np.random.default_rng(0).standard_normal((1000, 8)).astype(np.float16)
WEIGHT = np.random.default_rng(1).standard_normal((8, 4)).astype(np.float32)


def logits(embeddings: Float32) -> Float32:
    return np.asarray(embeddings @ WEIGHT)


def kept(shard: int, keep: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    rng = np.random.default_rng(2)
    starts = range(0, 1000, shard)
    parts = [
        score_shard(EMBEDDINGS[at : at + shard], logits, first_row=at, keep=keep, rng=part)
        for at, part in zip(starts, rng.spawn(len(starts)), strict=True)
    ]
    return keep_best(parts, keep, rng)


def test_the_score_is_one_less_the_margin() -> None:
    given = logits(EMBEDDINGS.astype(np.float32))
    before = given.copy()
    best = np.sort(softmax(given.astype(np.float64), axis=1), axis=1)
    np.testing.assert_allclose(unsure(given), 1 - (best[:, -1] - best[:, -2]), atol=1e-5)
    np.testing.assert_array_equal(given, before)
    assert unsure(given[:, :1]).tolist() == [0] * 1000


@pytest.mark.parametrize("shard", [64, 300, 1000])
def test_the_best_of_all_shards_are_kept_and_some_others(shard: int) -> None:
    rows = kept(shard, 100)
    best = np.argsort(-unsure(logits(EMBEDDINGS.astype(np.float32))), kind="stable")[:100]
    assert set(best.tolist()) <= set(rows.tolist())
    assert 100 < len(rows) <= 110
    assert (np.diff(rows) > 0).all()


def test_the_answer_names_rows_of_the_whole_pool() -> None:
    rows = kept(300, 100)
    rng = np.random.default_rng(3)
    query = rank_kept(
        rows, lambda wanted: EMBEDDINGS[wanted], lambda pool: select("margin", pool, 20, rng).query, logits
    )
    proba = softmax(logits(EMBEDDINGS.astype(np.float32)).astype(np.float64), axis=1)
    whole = select("margin", Pool(1000, proba, EMBEDDINGS.astype(np.float32)), 20, rng).query
    assert query.indices.tolist() == whole.indices.tolist()


def test_a_broken_shard_is_named() -> None:
    broken = EMBEDDINGS[:10].copy()
    broken[3] = np.nan
    with pytest.raises(ValueError, match="1 of the 10 items from row 700 on"):
        score_shard(broken, logits, first_row=700, keep=5, rng=np.random.default_rng(0))
