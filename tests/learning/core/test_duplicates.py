"""Near-copies are found in all of a ranking, as brute force finds them."""

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from learning.core.duplicates import SAME, copies
from learning.core.geometry import unit
from learning.core.pool import Pool
from learning.core.strategies import select

Float32 = NDArray[np.float32]


def by_brute_force(points: Float32, known: Float32) -> NDArray[np.bool_]:
    rows, others = unit(points).astype(np.float64), unit(known).astype(np.float64)
    copy = np.asarray((rows @ others.T >= 1 - SAME).any(axis=1))
    for place, row in enumerate(rows):
        earlier = np.flatnonzero(~copy[:place])
        copy[place] |= bool((rows[earlier] @ row >= 1 - SAME).any())
    return copy


@pytest.mark.parametrize("features", [8, 300])
@pytest.mark.parametrize("seed", range(3))
def test_they_are_those_of_brute_force(features: int, seed: int) -> None:
    """Some points lie in chains, where a copy of a copy is none of the first; some are known, or nowhere."""
    rng = np.random.default_rng(seed)
    base = np.maximum(rng.normal(size=(1200, features)), 0) + 0.01
    step = rng.normal(size=(4, 1200, features)) * 0.6 * np.sqrt(2 * SAME / features)
    chains = base + np.cumsum(step, axis=0) * np.linalg.norm(base, axis=1)[:, None]
    points = np.concatenate([base, chains[:, :600].reshape(-1, features)])[rng.permutation(3600)]
    points[[5, 3000]] = 0
    points[[6, 3001]] = np.nan
    known = base[600:700]
    found = copies(points.astype(np.float32), known.astype(np.float32))
    there = np.isfinite(points).all(axis=1) & points.any(axis=1)
    assert not found[~there].any()
    expected = by_brute_force(points[there].astype(np.float32), known.astype(np.float32))
    assert expected.sum() > 700
    # Pairs on the very edge may go either way by rounding.
    assert (found[there] != expected).mean() < 0.002


@pytest.mark.parametrize("name", ["margin", "random", "badge"])
def test_no_copy_is_asked_before_anything_else_however_long_the_queue(name: str) -> None:
    rng = np.random.default_rng(0)
    distinct = rng.normal(size=(1500, 64)).astype(np.float32)
    embeddings = np.concatenate([distinct, distinct[:500]])[rng.permutation(2000)]
    proba = rng.dirichlet(np.ones(3), 2000)
    pool = Pool(2000, proba, embeddings, labelled_embeddings=distinct[-20:])
    query = select(name, pool, 2000, rng).query
    copy = copies(embeddings[query.indices], distinct[-20:])
    assert sorted(query.indices.tolist()) == list(range(2000))
    assert (~copy[:1480]).all()
    assert copy[1480:].all()
    assert (np.diff(query.scores) <= 0).all()


def test_a_queue_of_a_big_pool_is_looked_through_in_a_moment() -> None:
    """10,000 places and 2,000 labels with 1,728 features take half a second; all pairs in full take five."""
    rng = np.random.default_rng(0)
    points = np.maximum(rng.normal(size=(10_000, 1728)), 0).astype(np.float32)
    points[7000:7500] = points[100:600]
    known = points[-2000:] + 1e-4
    began = time.process_time()
    found = copies(points, known)
    assert time.process_time() - began < 5
    assert found[7000:7500].all()
    assert found[-2000:].all()
    assert found.sum() == 2500
