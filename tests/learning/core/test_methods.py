"""Every training method keeps the contract; the shipped ones agree with an independent way."""

import copy
import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.neighbors import NearestCentroid

from learning.core.export import head_safetensors
from learning.core.methods import METHODS, NO_LABEL, Head, TrainingData, fit_committee, method, softmax

# Their noise, or their first weights, are other ones where there are more features.
DRAWS_BY_FEATURE = {"self-training", "auto", *(name for name, one in METHODS.items() if one.together)}
EVERY = pytest.mark.parametrize("name", list(METHODS))


def clusters(n: int = 60, classes: int = 3, features: int = 24, seed: int = 0) -> TrainingData:
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % classes).astype(np.int64)
    centres = rng.normal(size=(classes, features)) * 2
    return TrainingData(
        (centres[labels] + rng.normal(size=(n, features))).astype(np.float32), labels, classes
    )


def with_everything(data: TrainingData) -> TrainingData:
    """The data with an open pool of the same clusters and the soft labels of careful rules."""
    n = len(data.labels)
    pool = np.repeat(data.embeddings, 3, axis=0)
    pool = pool + np.random.default_rng(9).normal(size=pool.shape).astype(np.float32) * 0.3
    soft = 0.9 * np.eye(data.classes)[data.labels] + 0.1 / data.classes
    return replace(data, unlabelled=pool, soft=soft, weight=np.ones(n))


def fit(name: str, data: TrainingData, seed: int = 0, **config: object) -> Head:
    return METHODS[name].fit(data, config, np.random.default_rng(seed))


def digest(head: Head) -> str:
    return hashlib.sha256(head_safetensors(head)).hexdigest()


def test_the_methods_of_the_first_release_are_there() -> None:
    assert {"transfer", "prototypes"} <= set(METHODS)


@EVERY
def test_it_learns_separate_clusters(name: str) -> None:
    unseen = clusters(seed=0, n=300)
    for data in (clusters(), with_everything(clusters())):
        guess = fit(name, data).logits(unseen.embeddings).argmax(axis=1)
        assert (guess == unseen.labels).mean() > 0.95


@EVERY
def test_the_same_seed_gives_the_same_bits_and_leaves_the_data_alone(name: str) -> None:
    data = with_everything(clusters())
    before = copy.deepcopy(data)
    assert digest(fit(name, data)) == digest(fit(name, data))
    for field, value in vars(before).items():
        np.testing.assert_array_equal(getattr(data, field), value)


@cache
def digests_elsewhere() -> dict[str, str]:
    """Of a fit by each method, all in one other process: to start takes it longer than to fit."""
    of = "name: digest(fit(name, with_everything(clusters(n=300)))) for name in METHODS"
    script = f"from tests.learning.core.test_methods import *; print(json.dumps({{{of}}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


@EVERY
def test_another_process_gives_the_same_bits(name: str) -> None:
    assert digests_elsewhere()[name] == digest(fit(name, with_everything(clusters(n=300))))


@EVERY
def test_a_class_nobody_labelled_gets_a_tiny_probability(name: str) -> None:
    seen = clusters()
    data = with_everything(TrainingData(seen.embeddings, np.array([0, 2, 5])[seen.labels], classes=7))
    data = replace(data, soft=np.eye(7)[data.labels])
    proba = softmax(fit(name, data).logits(data.embeddings))
    assert proba.shape == (60, 7)
    absent = proba[:, [1, 3, 4, 6]]
    assert (absent > 0).all()
    assert absent.max() <= 1.001e-4
    assert (proba.argmax(axis=1) == data.labels).mean() > 0.95


@EVERY
def test_one_label_for_each_of_two_classes_is_enough(name: str) -> None:
    for data in (clusters(n=2, classes=2), with_everything(clusters(n=2, classes=2))):
        assert fit(name, data).logits(data.embeddings).argmax(axis=1).tolist() == [0, 1]


@EVERY
def test_identical_embeddings_give_finite_weights(name: str) -> None:
    data = TrainingData(np.ones((4, 5), np.float32), np.array([0, 1, 0, 1]), 2)
    for given in (data, with_everything(data), replace(data, unlabelled=data.embeddings[:1])):
        assert np.isfinite(fit(name, given).logits(data.embeddings)).all()


NEEDS = [(name, field) for name, entry in METHODS.items() for field in sorted(entry.needs)]


@pytest.mark.parametrize(("name", "field"), NEEDS)
def test_without_what_it_needs_transfer_learns_and_the_note_says_so(name: str, field: str) -> None:
    lacking: TrainingData = replace(with_everything(clusters()), **dict[str, Any]({field: None}))
    head = fit(name, lacking)
    assert digest(head) == digest(fit("transfer", lacking))
    assert head.note.startswith(f"Transfer instead of {METHODS[name].title}, which needs")


@EVERY
def test_rows_without_a_persons_label_are_for_methods_that_use_soft_labels(name: str) -> None:
    data = with_everything(clusters())
    some = replace(data, labels=np.where(np.arange(60) < 30, data.labels, NO_LABEL))
    people = data.rows(np.arange(30))
    same = digest(fit(name, some)) == digest(fit(name, people))
    assert same or METHODS[name].uses_rules
    assert not same or "soft" not in METHODS[name].needs


def test_weights_decide_how_much_a_label_counts() -> None:
    data = clusters()
    kept = np.arange(60) < 45
    weighted = fit("transfer", replace(data, weight=np.where(kept, 1.0, 1e-9)))
    plain = fit("transfer", data)
    assert np.abs(weighted.weight - plain.weight).max() > 1e-3


@pytest.mark.parametrize("name", sorted(set(METHODS) - DRAWS_BY_FEATURE))
def test_how_many_features_a_network_has_does_not_say_how_much_it_counts(name: str) -> None:
    """The second network's features, each of them three times, say the same."""
    data = with_everything(clusters())
    assert data.unlabelled is not None
    once = replace(data, parts=(20, 4))
    thrice = replace(
        data, embeddings=tripled(data.embeddings), unlabelled=tripled(data.unlabelled), parts=(20, 12)
    )
    unseen = clusters(seed=0, n=300).embeddings
    expected = softmax(fit(name, once).logits(unseen))
    np.testing.assert_allclose(softmax(fit(name, thrice).logits(tripled(unseen))), expected, atol=0.001)
    as_one = softmax(fit(name, replace(data, parts=())).logits(unseen))
    assert np.abs(as_one - expected).max() > 0.001


def tripled(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([embeddings, embeddings[:, 20:], embeddings[:, 20:]], axis=1)


@EVERY
def test_members_of_a_committee_differ_and_none_loses_a_class(name: str) -> None:
    data = clusters(n=9)
    heads = fit_committee(name, data, {}, np.random.default_rng(1), members=4)
    assert len({digest(head) for head in heads}) == 4
    again = fit_committee(METHODS[name], data, {}, np.random.default_rng(1), members=4)
    assert [digest(head) for head in heads] == [digest(head) for head in again]
    for head in heads:
        assert (softmax(head.logits(data.embeddings)).max(axis=0) > 1e-3).all()


ROW = np.zeros((1, 4), np.float32)
PAIR = np.zeros((2, 4), np.float32)


@pytest.mark.parametrize(
    ("embeddings", "labels", "sentence"),
    [
        (PAIR, [1, 1], "at least two classes; there are 1"),
        (ROW[:0], [], "at least two classes; there are 0"),
        (PAIR, [0, 3], r"must lie in 0\.\.2; found 0\.\.3"),
        (PAIR, [-1, 1], r"must lie in 0\.\.2; found -1\.\.1"),
        (PAIR, [0, 1, 2], "2 embeddings but 3 labels"),
        (PAIR[0], [0, 1], r"a table \(n, D\)"),
        (np.array([[np.nan], [1.0]], np.float32), [0, 1], "1 embeddings hold values that are not finite"),
    ],
)
def test_data_nobody_could_learn_from_is_refused(
    embeddings: NDArray[np.float32], labels: list[int], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        TrainingData(embeddings, np.array(labels, dtype=np.int64), 3)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"unlabelled": np.zeros((3, 5), np.float32)}, r"Unlabelled embeddings must be a table \(U, 4\)"),
        ({"unlabelled": np.full((3, 4), np.inf, np.float32)}, "3 unlabelled embeddings hold values"),
        ({"soft": np.eye(2)}, r"Soft labels must be a table \(2, 3\)"),
        ({"soft": np.ones((2, 3))}, "must be probabilities"),
        ({"weight": np.array([1.0])}, "Weights must be 2 finite numbers"),
        ({"weight": np.array([1.0, -1.0])}, "Weights must be 2 finite numbers"),
        ({"parts": (3, 2)}, r"The parts \(3, 2\) are not the 4 features"),
    ],
)
def test_more_that_does_not_fit_is_refused(more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        TrainingData(PAIR, np.array([0, 1]), 3, **more)


def test_a_setting_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="'C' must be a positive number, not -1"):
        fit("transfer", clusters(), C=-1)


def test_two_methods_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="methods are called 'transfer'"):
        method("transfer", title="x", summary="x")(METHODS["transfer"].fit)


def test_an_unknown_method_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no method 'magic'.*transfer"):
        fit_committee("magic", clusters(), {}, np.random.default_rng(0))


@pytest.mark.parametrize("n", [12, 90])  # fewer and more examples than features
def test_transfer_minimises_the_penalised_likelihood(n: int) -> None:
    data = clusters(n=n)
    head = fit("transfer", data, C=3.0)
    z = (data.embeddings - head.centre) / head.scale
    z /= np.linalg.norm(z, axis=1, keepdims=True)

    def loss(flat: NDArray[np.float64]) -> float:
        w = flat.reshape(3, -1)
        likelihood = log_softmax(z @ w[:, :-1].T + w[:, -1], axis=1)[np.arange(n), data.labels].sum()
        return float(-3.0 * likelihood + 0.5 * (w[:, :-1] ** 2).sum())

    reference = minimize(
        loss, np.zeros(3 * 25), method="L-BFGS-B", options={"maxfun": 10**6, "maxiter": 1000}
    )
    assert loss(np.column_stack([head.weight, head.bias]).astype(np.float64).ravel()) == pytest.approx(
        reference.fun, rel=1e-3
    )


def test_prototypes_are_scikit_learns_nearest_centroids() -> None:
    data = clusters(n=30)
    head = fit("prototypes", data)
    z = data.embeddings - head.centre
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    expected = NearestCentroid().fit(z, data.labels).predict(z)
    assert head.logits(data.embeddings).argmax(axis=1).tolist() == expected.tolist()


def stretched() -> tuple[TrainingData, NDArray[np.float32], NDArray[np.int64]]:
    """Three stretched classes, two labels each, and an open pool; then unseen items and their classes."""
    rng = np.random.default_rng(0)
    which = np.arange(600) % 3
    centres = rng.normal(size=(3, 20))
    along = rng.uniform(0, 1, (600, 1)) * rng.normal(size=(3, 20))[which]
    z = (3 * centres[which] + 4 * along + 0.3 * rng.normal(size=(600, 20))).astype(np.float32)
    return TrainingData(z[:6], which[:6].astype(np.int64), 3, unlabelled=z[6:300]), z[300:], which[300:]


@pytest.mark.parametrize("name", ["semi-supervised", "self-training"])
def test_an_open_pool_makes_more_of_two_labels_a_class(name: str) -> None:
    data, unseen, truth = stretched()
    alone = (fit("transfer", data).logits(unseen).argmax(axis=1) == truth).mean()
    assert (fit(name, data).logits(unseen).argmax(axis=1) == truth).mean() >= alone


def test_rules_teach_what_people_have_not_labelled_and_people_always_win() -> None:
    data = clusters(n=90)
    people = np.where(np.arange(90) < 45, data.labels, NO_LABEL)
    lies = np.eye(3)[(data.labels + 1) % 3]
    honest = np.where((people == NO_LABEL)[:, None], np.eye(3)[data.labels], lies)
    taught = fit("weak-supervision", replace(data, labels=people, soft=honest))
    told = fit("weak-supervision", replace(data, labels=people, soft=np.eye(3)[data.labels]))
    assert digest(taught) == digest(told)
    assert (taught.logits(data.embeddings).argmax(axis=1) == data.labels).mean() > 0.95
    alone = fit("weak-supervision", replace(data, labels=np.full(90, NO_LABEL), soft=np.eye(3)[data.labels]))
    assert (alone.logits(data.embeddings).argmax(axis=1) == data.labels).mean() > 0.95
