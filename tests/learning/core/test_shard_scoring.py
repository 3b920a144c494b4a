"""A pool scored in parts gives what the whole pool gives."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax

from learning.core import shard_scoring
from learning.core.pool import Pool
from learning.core.shard_scoring import Kept, keep_best, score_part
from learning.core.strategies import STRATEGIES, screen_of, select

SIZE, CLASSES = 1000, 4
EMBEDDINGS = np.random.default_rng(0).standard_normal((SIZE, 8)).astype(np.float32)
COMMITTEE = softmax(EMBEDDINGS @ np.random.default_rng(1).standard_normal((3, 8, CLASSES)), axis=2)
LABELLED = np.random.default_rng(2).standard_normal((40, 8)).astype(np.float32)
LABELS = np.arange(40) % CLASSES


def pool(rows: NDArray[np.int64], drawn: NDArray[np.int64] | None = None) -> Pool:
    return Pool(len(rows), COMMITTEE[0, rows], EMBEDDINGS[rows], COMMITTEE[:, rows], LABELLED, LABELS, drawn)


def kept(strategy: str, part: int, keep: int) -> Kept:
    rng = np.random.default_rng(3)
    screen = screen_of(strategy, pool(np.arange(0)), rng)
    found = []
    for start in range(0, SIZE, part):
        rows = np.arange(start, min(start + part, SIZE))
        found.append(score_part(pool(rows), screen, ids=rows, keep=keep, rng=rng))
    return keep_best(found, keep, rng)


@pytest.mark.parametrize("part", [64, 300, 1000])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_part_is_searched_by_what_ranks_the_whole_alike(
    strategy: str, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_scoring, "PROBES", 20)
    rng = np.random.default_rng(4)
    screen = screen_of(strategy, pool(np.arange(0)), rng)
    found = kept(strategy, part, 100)
    assert (np.diff(found.ids) > 0).all()
    assert len(found.drawn) == 20
    assert 100 <= len(found.ids) <= 120
    if screen.name != "random":
        best = screen.choose(pool(np.arange(SIZE)), 100, rng).indices
        assert set(best.tolist()) <= set(found.ids.tolist())


@pytest.mark.parametrize("strategy", ["margin", "entropy", "least-confidence", "bald"])
def test_what_scores_every_item_by_itself_ranks_what_was_kept_as_it_ranks_all(strategy: str) -> None:
    rows = kept(strategy, 300, 100).ids
    few = select(strategy, pool(rows), 20, np.random.default_rng(5)).query
    whole = select(strategy, pool(np.arange(SIZE)), 20, np.random.default_rng(5)).query
    assert rows[few.indices].tolist() == whole.indices.tolist()


def test_the_drawn_stand_for_the_whole_pool_not_for_what_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_scoring, "PROBES", 200)
    found = kept("margin", 250, 50)
    # Of a pool drawn from evenly, about a quarter comes of each quarter.
    quarters = np.bincount(found.ids[found.drawn] // 250, minlength=4)
    assert quarters.min() > 25
    assert quarters.sum() == 200


def test_keeping_more_than_there_is_keeps_all() -> None:
    assert kept("uherding", 300, 5000).ids.tolist() == list(range(SIZE))


def test_a_broken_part_is_refused() -> None:
    broken = COMMITTEE[0, :10].copy()
    broken[3] = np.nan
    with pytest.raises(ValueError, match="proba hold values that are not a finite number"):
        score_part(
            Pool(10, broken),
            STRATEGIES["margin"],
            ids=np.arange(10),
            keep=5,
            rng=np.random.default_rng(0),
        )
