"""Strategies that choose a batch agree with scikit-activeml, or with the slow way written out."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats
from skactiveml.pool import CoreSet, MaxHerding, ProbCover, average_kl_divergence, batch_bald
from skactiveml.pool._typi_clust import _typicality
from sklearn.datasets import load_digits

from learning.core.candidates import narrow
from learning.core.clusters import k_means
from learning.core.duplicates import copies
from learning.core.geometry import projection, squared_distances, unit
from learning.core.herding import coverage, gains, gaussian, herd, within
from learning.core.joint_entropy import JointEntropy
from learning.core.methods import METHODS, TrainingData, softmax
from learning.core.pool import Floats, Pool
from learning.core.strategies import STRATEGIES, select
from learning.core.strategies.badge import Gradients, spread
from learning.core.strategies.batchbald import greedy
from learning.core.strategies.cluster_margin import round_robin
from learning.core.strategies.probcover import pure_radius
from learning.core.strategies.typiclust import by_typicality, typicality


def rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


def points_of(count: int, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return unit(rng(seed).normal(size=(count, 6)).astype(np.float32))


POINTS, KNOWN = points_of(80), points_of(5, seed=1)
BOTH = np.concatenate([KNOWN, POINTS]).astype(np.float64)
LABELS = np.concatenate([np.arange(5) % 2, np.full(80, np.nan)])


def test_coreset_is_scikit_activemls() -> None:
    theirs = CoreSet(random_state=0).query(BOTH, LABELS, batch_size=12) - len(KNOWN)
    pool = Pool(80, embeddings=POINTS, labelled_embeddings=KNOWN)
    assert select("coreset", pool, 12, rng()).query.indices.tolist() == theirs.tolist()


def test_max_herding_is_scikit_activemls() -> None:
    apart = np.sqrt(squared_distances(KNOWN, KNOWN)[np.triu_indices(5, 1)]).min()
    theirs = MaxHerding(metric="rbf", metric_dict={"gamma": 1 / apart**2}, random_state=0)
    expected = theirs.query(BOTH, LABELS, batch_size=12) - len(KNOWN)
    pool = Pool(80, embeddings=POINTS, labelled_embeddings=KNOWN)
    assert select("maxherding", pool, 12, rng()).query.indices.tolist() == expected.tolist()


def test_probability_coverage_gains_what_scikit_activemls_does() -> None:
    """Numbers of covered points tie often, so the gains are compared, not the points."""
    radius = 0.6
    theirs = ProbCover(deltas=[radius], random_state=0)
    with pytest.warns(UserWarning, match="maximum purity"):  # it was given the radius, and seeks none
        _, utilities = theirs.query(BOTH, LABELS, batch_size=1, return_utilities=True)
    kernel, weights = within(POINTS, POINTS, radius), np.ones(80, np.float32)
    ours = gains(kernel, coverage(within(KNOWN, POINTS, radius)), weights)
    np.testing.assert_array_equal(ours, utilities[0, len(KNOWN) :])
    chosen, _ = herd(kernel, np.zeros(80, np.float32), weights, 1)
    assert kernel[chosen[0]].sum() == kernel.sum(axis=1).max()


def test_the_radius_is_the_largest_of_which_95_in_100_balls_are_pure() -> None:
    clusters = k_means(POINTS, 4, rng())
    radius = pure_radius(POINTS, clusters)
    foreign = clusters[:, None] != clusters
    distances = np.sqrt(squared_distances(POINTS, POINTS))

    def purity(at: float) -> float:
        return float(1 - ((distances <= at) & foreign).any(axis=1).mean())

    assert purity(radius) >= 0.95 > purity(radius + 1e-3)


def test_typicality_orders_a_cluster_as_scikit_activeml_does() -> None:
    theirs = _typicality(POINTS.astype(np.float64), np.arange(80), 20)
    assert np.argsort(-typicality(POINTS)).tolist() == np.argsort(-theirs).tolist()


def test_typical_points_come_from_each_cluster_without_labels_largest_first() -> None:
    clusters = np.repeat([0, 1, 2, 3], [10, 40, 20, 10])
    order = by_typicality(POINTS, clusters, np.array([1, 1, 0, 0, 0]))
    assert clusters[order[:2]].tolist() == [2, 3]
    assert sorted(order.tolist()) == list(range(80))


def test_lazy_herding_chooses_what_greedy_herding_does() -> None:
    kernel = gaussian(POINTS, points_of(50, seed=2), 0.7)
    weights = rng().random(50).astype(np.float32)
    covered = rng(4).random(50).astype(np.float32) * 0.3
    lazy, left = herd(kernel, covered, weights, 30)
    for place in lazy:
        gain = gains(kernel, covered, weights)
        assert gain[place] == pytest.approx(gain.max(), rel=1e-5)
        covered = np.maximum(covered, kernel[place])
    np.testing.assert_array_equal(left, covered)
    assert len(set(lazy.tolist())) == 30


def test_uncertainty_herding_looks_only_where_the_model_is_unsure() -> None:
    proba = np.tile([0.99, 0.01], (80, 1))
    proba[40:] = 0.5
    proba[:40, 0], proba[:40, 1] = 1, 0
    embeddings = np.concatenate([POINTS[:40] + 50 * np.eye(6, dtype=np.float32)[0], POINTS[40:]])
    pool = Pool(80, proba, unit(embeddings), labelled_embeddings=KNOWN)
    assert (select("uherding", pool, 5, rng()).query.indices >= 40).all()


def members_of(items: int, models: int = 4, labels: int = 3) -> Floats:
    return rng().dirichlet(np.full(labels, 0.4), (models, items))


def joint_information(members: Floats, batch: tuple[int, ...]) -> float:
    """By the definition, over every joint answer."""
    models, _, labels = members.shape
    joint = np.zeros((models, labels ** len(batch)))
    for column, answer in enumerate(itertools.product(range(labels), repeat=len(batch))):
        joint[:, column] = members[:, list(batch), list(answer)].prod(axis=1)
    return float(stats.entropy(joint.mean(axis=0)) - stats.entropy(joint, axis=1).mean())


def test_batchbald_is_greedy_in_the_joint_information() -> None:
    members = members_of(7)
    chosen = greedy(members, 4, rng())
    for size in range(4):
        before = tuple(chosen[:size])
        best = max(joint_information(members, (*before, i)) for i in range(7) if i not in before)
        assert joint_information(members, tuple(chosen[: size + 1])) == pytest.approx(best)
    theirs = np.nanargmax(batch_bald(members.copy(), 3, random_state=0), axis=1)
    assert chosen[0] == theirs[0]


def test_a_sampled_joint_entropy_is_close_to_the_exact_one() -> None:
    members = members_of(12)
    joint = JointEntropy(members, rng())
    for item in range(9):
        joint.add(item)
    assert joint.drawn_by is not None
    exact = np.ones((1, 4))
    for item in range(9):
        exact = (exact[:, None] * members[:, item].T).reshape(-1, 4)
    assert joint.entropy() == pytest.approx(stats.entropy(exact.mean(axis=1)), rel=0.05)
    further = (exact[:, None] * members[:, 10].T).reshape(-1, 4).mean(axis=1)
    assert joint.with_each()[10] == pytest.approx(stats.entropy(further), rel=0.05)


def test_badges_distances_are_those_of_the_gradients() -> None:
    proba = rng().dirichlet(np.ones(4), 30)
    features = rng(1).normal(size=(30, 7)).astype(np.float32)
    formed = np.einsum("nk,nd->nkd", proba - np.eye(4)[proba.argmax(axis=1)], features).reshape(30, -1)
    gradients = Gradients(proba, features)
    for row in range(30):
        brute = ((formed - formed[row]) ** 2).sum(axis=1)
        np.testing.assert_allclose(gradients.squared_distances(row), brute, atol=1e-4)
    chosen = spread(gradients, 30, rng())
    assert chosen[0] == (formed**2).sum(axis=1).argmax()
    assert sorted(chosen.tolist()) == list(range(30))


def test_the_largest_divergence_is_of_the_member_furthest_from_the_mean() -> None:
    members = members_of(20)
    worst = [max(stats.entropy(member[i], members.mean(axis=0)[i]) for member in members) for i in range(20)]
    query = select("max-kl", Pool(20, committee=members), 20, rng()).query
    assert query.indices.tolist() == np.argsort(-np.array(worst)).tolist()


def test_bald_orders_as_scikit_activemls_mean_divergence() -> None:
    members = members_of(40)
    query = select("bald", Pool(40, committee=members), 40, rng()).query
    measure = average_kl_divergence(members.copy())
    assert query.indices.tolist() == np.argsort(-measure, kind="stable").tolist()


def test_clusters_take_turns_the_smallest_first() -> None:
    assert round_robin(np.array([1, 1, 1, 2, 3, 3])).tolist() == [3, 4, 0, 5, 1, 2]


def test_a_big_pool_is_narrowed_to_the_best_and_a_tenth_of_the_rest() -> None:
    score = rng().random(50_000)
    rows = narrow(50_000, 100, rng(), score)
    assert len(rows) == len(set(rows.tolist())) == 11_000
    assert set(np.argsort(-score)[:10_000].tolist()) <= set(rows.tolist())
    assert narrow(20_000, 100, rng(), score[:20_000]).tolist() == list(range(20_000))


def test_a_projection_about_keeps_distances() -> None:
    points = rng().normal(size=(40, 1728)).astype(np.float32)
    matrix = projection(1728, 128, rng())
    assert matrix is not None
    pairs = np.triu_indices(40, 1)
    ratio = (
        squared_distances(points @ matrix, points @ matrix)[pairs] / squared_distances(points, points)[pairs]
    )
    assert ratio.min() > 0.5
    assert ratio.max() < 1.7


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_no_copy_of_a_labelled_or_an_asked_item_is_asked_again(name: str) -> None:
    distinct = np.eye(12, dtype=np.float32)
    embeddings = np.concatenate([np.repeat(distinct[:2], 20, axis=0), distinct[2:]])  # 40 copies, 10 others
    proba = np.full((50, 2), 0.5)
    proba[40:] = [0.9, 0.1]
    pool = Pool(50, proba, embeddings, np.stack([proba] * 3), distinct[1:2])
    query = select(name, pool, 50, rng()).query
    assert sorted(query.indices.tolist()) == list(range(50))
    first = query.indices[:11]
    assert sum(first < 20) == 1
    assert sum((first >= 20) & (first < 40)) == 0
    few = select(name, pool, 11, rng()).query.indices
    assert sum(few < 40) == 1


def test_items_without_direction_are_no_copies() -> None:
    broken = np.zeros((4, 3), dtype=np.float32)
    broken[2:] = np.nan
    assert not copies(broken, broken).any()


AUTO = [
    (Pool(80), "random"),
    (Pool(80, proba=np.full((80, 2), 0.5)), "margin"),
    (Pool(80, embeddings=POINTS), "maxherding"),
    (Pool(80, np.full((80, 2), 0.5), POINTS, labelled_embeddings=KNOWN), "uherding"),
    (Pool(80, np.full((80, 2), 0.5), POINTS), "uherding"),
]


@pytest.mark.parametrize(("pool", "used"), AUTO)
def test_auto_chooses_by_what_is_there_and_says_so(pool: Pool, used: str) -> None:
    selection = select("auto", pool, 10, rng())
    assert selection.strategy == "auto"
    assert f"Automatic: {STRATEGIES[used].title}, as " in selection.reason
    alone = select(used, pool, 10, rng())
    if used != "uherding":
        assert selection.query.indices.tolist() == alone.query.indices.tolist()


def accuracy_by(name: str, seed: int) -> list[float]:
    """On digits, after 20, 40 and 80 labels asked by the strategy from the first."""
    digits = load_digits()
    order = rng(seed).permutation(len(digits.target))
    features, labels = digits.data[order].astype(np.float32), digits.target[order].astype(np.int64)
    asked, rest, proba, found = np.empty(0, np.int64), np.arange(1200), None, []
    for batch in (20, 20, 40):
        pool = Pool(len(rest), proba, features[rest], None, features[asked], labels[asked])
        chosen = select(name, pool, batch, rng(seed)).query.indices
        asked, rest = np.concatenate([asked, rest[chosen]]), np.delete(rest, chosen)
        head = METHODS["transfer"].fit(TrainingData(features[asked], labels[asked], 10), {}, rng(seed))
        proba = softmax(head.logits(features[rest]))
        found.append(float((head.logits(features[1200:]).argmax(axis=1) == labels[1200:]).mean()))
    return found


def test_auto_learns_digits_faster_than_random() -> None:
    auto, random = (
        np.mean([accuracy_by(name, seed) for seed in range(4)], axis=0) for name in ("auto", "random")
    )
    assert (auto > random).all()


def test_choosing_does_not_load_what_only_tests_need() -> None:
    code = "import sys, learning.core.strategies, learning.core.shard_scoring; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "learning.core.strategies.badge" in loaded
    assert "skactiveml" not in loaded
