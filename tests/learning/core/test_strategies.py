"""Every strategy in the registry keeps the contract; its measures agree with an independent way."""

import copy
import itertools

import numpy as np
import pytest
from modAL.batch import uncertainty_batch_sampling
from scipy import stats

from learning.core import registry
from learning.core.pool import Floats, Pool, given, top_k
from learning.core.strategies import STRATEGIES, Strategy, select, strategy

EVERY = pytest.mark.parametrize("name", list(STRATEGIES))


def a_pool(size: int = 60, classes: int = 4, seed: int = 0) -> Pool:
    rng = np.random.default_rng(seed)
    return Pool(
        size=size,
        proba=rng.dirichlet(np.full(classes, 0.5), size),
        embeddings=rng.normal(size=(size, 8)).astype(np.float32),
        committee=rng.dirichlet(np.full(classes, 0.5), (5, size)),
        labelled_embeddings=rng.normal(size=(7, 8)).astype(np.float32),
    )


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_the_strategies_of_the_first_release_are_there() -> None:
    assert {"random", "least-confidence", "margin", "entropy", "committee", "ranked-batch"} <= set(STRATEGIES)


@EVERY
def test_the_same_seed_gives_the_same_ranking(name: str) -> None:
    first, second = (select(name, a_pool(), 20, rng()).query for _ in range(2))
    assert first.indices.tolist() == second.indices.tolist()
    assert first.scores.tolist() == second.scores.tolist()


@EVERY
def test_the_pool_is_left_as_it_was(name: str) -> None:
    pool = a_pool()
    before = copy.deepcopy(pool)
    select(name, pool, 20, rng())
    for field in ("proba", "embeddings", "committee", "labelled_embeddings"):
        np.testing.assert_array_equal(getattr(pool, field), getattr(before, field))


@EVERY
@pytest.mark.parametrize(("k", "expected"), [(0, 0), (1, 1), (20, 20), (60, 60), (1000, 60)])
def test_it_ranks_k_different_items_best_first(name: str, k: int, expected: int) -> None:
    query = select(name, a_pool(), k, rng()).query
    assert query.indices.dtype == np.int64
    assert query.scores.dtype == np.float64
    assert len(query.indices) == len(query.scores) == len(set(query.indices.tolist())) == expected
    assert set(query.indices.tolist()) <= set(range(60))
    assert (np.diff(query.scores) <= 0).all()


@EVERY
def test_an_empty_pool_gives_an_empty_ranking_and_says_so(name: str) -> None:
    selection = select(name, a_pool(size=0), 10, rng())
    assert len(selection.query.indices) == 0
    assert "empty" in selection.reason


@EVERY
def test_one_class_is_enough_to_rank(name: str) -> None:
    assert len(select(name, a_pool(classes=1), 10, rng()).query.indices) == 10


@EVERY
def test_certain_probabilities_are_ranked(name: str) -> None:
    pool = a_pool()
    certain = np.eye(4)[np.arange(60) % 4]
    pool = Pool(60, certain, pool.embeddings, np.stack([certain] * 5), pool.labelled_embeddings)
    assert np.isfinite(select(name, pool, 60, rng()).query.scores).all()


NEEDS = [(name, field) for name, entry in STRATEGIES.items() for field in sorted(entry.needs)]


@pytest.mark.parametrize(("name", "field"), NEEDS)
def test_what_is_not_a_number_is_refused_by_name(name: str, field: str) -> None:
    pool = a_pool()
    getattr(pool, field)[..., 2, 1] = np.nan
    with pytest.raises(ValueError, match=f"{field}.*not a finite number"):
        select(name, pool, 10, rng())


@pytest.mark.parametrize(("name", "field"), NEEDS)
def test_without_what_it_needs_random_ranks_and_the_reason_says_why(name: str, field: str) -> None:
    pool = a_pool()
    lacking = Pool(**{**vars(pool), field: None})
    selection = select(name, lacking, 10, rng())
    assert (selection.strategy, selection.requested) == ("random", name)
    assert field in selection.reason
    assert len(selection.query.indices) == 10


@pytest.mark.parametrize(("name", "field"), NEEDS)
def test_arrays_of_another_length_are_refused(name: str, field: str) -> None:
    longer = Pool(**{**vars(a_pool()), "size": 61})
    with pytest.raises(ValueError, match=r"61 items but \w+ of 60"):
        select(name, longer, 10, rng())


@EVERY
def test_every_strategy_says_in_a_sentence_when_it_helps(name: str) -> None:
    entry: Strategy = STRATEGIES[name]
    assert entry.title
    assert entry.cost.endswith(".")
    assert "help" in entry.summary or "choice" in entry.summary
    assert len(select(name, a_pool(), 5, rng()).reason) <= 300


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no strategy 'guess'.*margin"):
        select("guess", a_pool(), 5, rng())


def test_two_strategies_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="Two strategies are called 'margin'"):
        strategy("margin", title="x", summary="x", cost="x")(
            lambda pool, k, rng: top_k(np.zeros(pool.size), k)
        )
    with pytest.raises(ValueError, match="no method"):
        registry.find({}, "x", "method")


def test_ties_are_ranked_by_index() -> None:
    assert top_k(np.array([1.0, 2.0, 2.0, 1.0]), 3).indices.tolist() == [1, 2, 0]
    with pytest.raises(ValueError, match="1 of 2 scores are not a number"):
        top_k(np.array([np.nan, 1.0]), 1)


def scores_of(name: str, pool: Pool) -> Floats:
    """The scores in the order of the pool."""
    query = select(name, pool, pool.size, rng()).query
    return query.scores[np.argsort(query.indices)]


def test_entropy_is_scipys_also_with_zeros() -> None:
    pool = a_pool()
    assert pool.proba is not None
    pool.proba[5] = [0, 1, 0, 0]
    pool.proba[6] = [0.5, 0.5, 0, 0]
    np.testing.assert_allclose(scores_of("entropy", pool), [stats.entropy(p) for p in pool.proba])


def test_margin_and_confidence_are_what_brute_force_says() -> None:
    pool = a_pool()
    assert pool.proba is not None
    best, second = np.array([sorted(row, reverse=True)[:2] for row in pool.proba]).T
    np.testing.assert_allclose(scores_of("margin", pool), 1 - (best - second))
    np.testing.assert_allclose(scores_of("least-confidence", pool), 1 - best)


def test_disagreement_is_the_entropy_of_the_votes_and_ties_are_ordered_by_divergence() -> None:
    pool = a_pool(classes=3)
    assert pool.committee is not None
    votes = pool.committee.argmax(axis=2)
    brute = [stats.entropy(np.bincount(votes[:, i], minlength=3) / 5) for i in range(pool.size)]
    scores = scores_of("committee", pool)
    np.testing.assert_allclose(scores, brute, atol=1.001e-3)
    mean = pool.committee.mean(axis=0)
    worst = np.array([max(stats.entropy(member[i], mean[i]) for member in pool.committee) for i in range(60)])
    for i, j in itertools.combinations(range(60), 2):
        if np.isclose(brute[i], brute[j]):
            assert (scores[i] > scores[j]) == (worst[i] > worst[j])
        else:
            assert (scores[i] > scores[j]) == (brute[i] > brute[j])


def test_consensus_entropy_is_that_of_the_members_mean() -> None:
    pool = a_pool()
    assert pool.committee is not None
    brute = stats.entropy(pool.committee.mean(axis=0), axis=1)
    np.testing.assert_allclose(scores_of("consensus-entropy", pool), brute)


class LearnerOfModal:
    on_transformed = False

    def __init__(self, proba: Floats, training: Floats | None) -> None:
        self.proba = proba
        self.X_training = training

    def predict_proba(self, X: Floats) -> Floats:
        return self.proba


@pytest.mark.parametrize("cold", [False, True])
def test_a_ranked_batch_is_modals(cold: bool) -> None:
    pool = a_pool()
    proba, embeddings, labelled = given(pool.proba), given(pool.embeddings), given(pool.labelled_embeddings)
    if cold:
        pool = Pool(**{**vars(pool), "labelled_embeddings": labelled[:0]})
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    known = labelled / np.linalg.norm(labelled, axis=1, keepdims=True)
    learner = LearnerOfModal(proba, None if cold else known.astype(np.float64))
    theirs, _ = uncertainty_batch_sampling(learner, unit.astype(np.float64), n_instances=12)
    assert select("ranked-batch", pool, 12, rng()).query.indices.tolist() == theirs.tolist()


def test_a_ranked_batch_is_followed_by_the_most_uncertain_rest() -> None:
    pool = a_pool(size=100)
    assert pool.proba is not None
    query = select("ranked-batch", pool, 100, rng()).query
    rest = 1 - pool.proba.max(axis=1)[query.indices[32:]]
    assert (np.diff(rest) <= 0).all()
    assert query.scores[32:] == pytest.approx(rest)


def test_copies_of_one_item_do_not_fill_a_ranked_batch() -> None:
    distinct = np.eye(8, dtype=np.float32)
    embeddings = np.concatenate([np.repeat(distinct[:1], 20, axis=0), distinct[1:]])
    proba = np.full((27, 2), 0.5)
    labelled = -np.ones((1, 8), dtype=np.float32)
    query = select("ranked-batch", Pool(27, proba, embeddings, None, labelled), 8, rng()).query
    assert sum(index < 20 for index in query.indices) == 1


def test_bald_is_the_mutual_information_of_label_and_member() -> None:
    pool = a_pool(size=15)
    members = given(pool.committee)
    query = select("bald", pool, 15, rng()).query
    for index, score in zip(query.indices, query.scores, strict=True):
        # Brute force over the joint distribution of a uniformly drawn member and its label.
        joint = members[:, index, :] / len(members)
        apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
        assert score == pytest.approx(stats.entropy(joint.ravel(), apart.ravel()), abs=1e-12)
