"""Simulated projects for `benchmarks.labels`: a strategy asks, the truth answers, a model is measured."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from modAL.uncertainty import classifier_margin
from numpy.typing import NDArray
from skactiveml.classifier import SklearnClassifier
from skactiveml.pool import Badge, TypiClust
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from benchmarks.pictures import Pictures
from learning.core.cached import CachedClassifier
from learning.core.methods import METHODS, Head, TrainingData, softmax
from learning.core.methods.folds import best_of, folds, held_out
from learning.core.pool import Pool
from learning.core.strategies import select

FOLDS = 5
COMPARED = 1_000  # labels that kinds of features are compared on
FIRST_STEP, STEP_SHARE = 10, 0.15  # labels between two rankings: ten, later this share of those there are
# scikit-activeml's strategies; each query takes seconds.
THEIRS = ("scikit-activeml TypiClust", "scikit-activeml BADGE")

Matrix = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """One kind of features of a pool and of the test set."""

    kind: str
    features: Matrix  # (N, D), of the pool
    labels: NDArray[np.int64]  # (N,)
    test_features: Matrix
    test_labels: NDArray[np.int64]
    classes: int
    parts: tuple[int, ...] = ()  # features of each network whose these are


@dataclass(frozen=True)
class Chosen:
    """What was labelled when a budget was reached, and on which features the next step builds."""

    known: Rows
    split: Split


def drawn(pictures: Pictures) -> tuple[Rows, Rows]:
    """Rows of the pool and of the test set."""
    order = np.random.default_rng(0).permutation(len(pictures.labels))
    return order[pictures.test :], order[: pictures.test]


def asked(
    splits: Sequence[Split], strategy: str, budgets: Sequence[int], seed: int
) -> Iterator[tuple[int, Chosen]]:
    """Label step by step as the strategy ranks; what is known at each budget.

    Of several kinds of features of the same pictures, the product's rule chooses at each step; the first is
    in use at the beginning.
    """
    rng = np.random.default_rng(seed)
    used = splits[0]
    known = np.empty(0, np.int64)
    for budget in budgets:
        while len(known) < budget:
            missing = budget - len(known)
            # What looks at nothing needs no model between its questions.
            blind = strategy == "random"
            count = missing if blind else min(max(FIRST_STEP, int(STEP_SHARE * len(known))), missing)
            split = used = splits[0] if blind else best_by(splits, known, used)
            free = np.setdiff1d(np.arange(len(split.labels)), known)
            theirs = _theirs(strategy, split, known, free, count, seed) if strategy in THEIRS else None
            # Before there is a model, a strategy that needs one falls back to random by itself.
            ours = "random" if strategy in THEIRS else strategy
            chosen = (
                select(ours, _pool(split, known, free), count, rng).query.indices
                if theirs is None
                else theirs
            )
            known = np.concatenate([known, free[chosen]])
        used = best_by(splits, known, used)
        yield budget, Chosen(known, used)


def best_by(splits: Sequence[Split], known: Rows, used: Split) -> Split:
    """The kind of features by which labels held back are likeliest, if surely; else the one in use."""
    asked = (
        known if len(known) <= COMPARED else np.random.default_rng(0).choice(known, COMPARED, replace=False)
    )
    labels = used.labels[asked]
    parts = folds(labels, FOLDS, np.random.default_rng(0)) if len(np.unique(labels)) > 1 else []
    if not parts or len(splits) == 1:
        return used
    every = [used, *(one for one in splits if one is not used)]
    best, surely = best_of([held_out(_transfer, _data(one, asked), parts) for one in every])
    return every[best] if surely else used


def accuracy(chosen: Chosen, method: str, seed: int = 0) -> float:
    """Of the method on the features the labels were chosen by, in %."""
    split, known = chosen.split, chosen.known
    free = np.setdiff1d(np.arange(len(split.labels)), known)
    data = replace(_data(split, known), unlabelled=split.features[free])
    if len(np.unique(data.labels)) < 2:
        return 100 * float((split.test_labels == data.labels[0]).mean())
    head = METHODS[method].fit(data, {}, np.random.default_rng(seed))
    return 100 * float((head.logits(split.test_features).argmax(axis=1) == split.test_labels).mean())


def _data(split: Split, rows: Rows) -> TrainingData:
    return TrainingData(split.features[rows], split.labels[rows], split.classes, parts=split.parts)


def _transfer(data: TrainingData) -> Head:
    return METHODS["transfer"].fit(data, {}, np.random.default_rng(0))


def _pool(split: Split, known: Rows, free: Rows) -> Pool:
    labels = split.labels[known]
    features = split.features[free]
    if len(np.unique(labels)) < 2:
        return Pool(len(free), None, features, labelled_embeddings=split.features[known])
    head = _transfer(_data(split, known))
    return Pool(
        len(free),
        softmax(head.logits(features)),
        features,
        labelled_embeddings=split.features[known],
        labelled_labels=labels,
    )


def _theirs(strategy: str, split: Split, known: Rows, free: Rows, count: int, seed: int) -> Rows | None:
    """scikit-activeml's choice among `free`; None where it has no model to go by yet."""
    labels = np.full(len(split.labels), np.nan)
    labels[known] = split.labels[known]
    found: Rows
    with warnings.catch_warnings():
        # scikit-learn's deprecations inside scikit-activeml say nothing of ours.
        warnings.simplefilter("ignore")
        if strategy.endswith("TypiClust"):
            found = TypiClust(random_state=seed).query(split.features, labels, batch_size=count)
        elif len(np.unique(split.labels[known])) < 2:
            return None
        else:
            model = SklearnClassifier(
                LogisticRegression(max_iter=300), classes=range(split.classes), random_state=seed
            )
            found = Badge(random_state=seed).query(split.features, labels, model, batch_size=count)
    return np.searchsorted(free, np.asarray(found, np.int64))


def as_modal_users_do(pictures: Pictures, budgets: Sequence[int], seed: int) -> dict[int, float]:
    """Margin queries and logistic regression on pixels: accuracy in % at each budget.

    Logistic regression needs two classes: while there is one, questions are drawn, and it is the answer.
    """
    rng = np.random.default_rng(seed)
    pool, test = drawn(pictures)
    pixels, labels = pictures.pixels(), pictures.labels
    known = rng.choice(pool, FIRST_STEP, replace=False)
    measured: dict[int, float] = {}
    for budget in budgets:
        while True:
            one_class = len(np.unique(labels[known])) < 2
            model = DummyClassifier() if one_class else LogisticRegression(max_iter=300)
            model.fit(pixels[known], labels[known])
            if len(known) >= budget:
                break
            count = min(max(FIRST_STEP, int(STEP_SHARE * len(known))), budget - len(known))
            free = np.setdiff1d(pool, known)
            if one_class:
                chosen = rng.permutation(len(free))
            else:
                proba = CachedClassifier(model.predict_proba(pixels[free]))
                chosen = np.argsort(classifier_margin(proba, np.arange(len(free))), kind="stable")
            known = np.concatenate([known, free[chosen[:count]]])
        measured[budget] = 100 * float(model.score(pixels[test], labels[test]))
    return measured
