import numpy as np
from numpy.typing import NDArray

from learning.core.candidates import LABELLED, sample
from learning.core.geometry import Float32, squared_distances, unit
from learning.core.pool import Pool, Query
from learning.core.strategies.base import STRATEGIES, strategy

A_CLASS = 2  # labels of each class, on average, from which a model may say what it is unsure of
AGREE = 0.25  # of the way from guessing to always right, that nearest labelled neighbours must agree


@strategy(
    "auto",
    title="Automatic",
    summary="covers the pool while labels are few, then asks what the model is unsure of; a choice for those "
    "who do not want to choose.",
    cost="That of the strategy it chooses, and O(L^2 D) to choose it.",
    screen=lambda known, rng: STRATEGIES[choose(known, rng)[0]].screen(known, rng),
)
def auto(pool: Pool, k: int, rng: np.random.Generator) -> Query:
    """Coverage before uncertainty (Hacohen et al. 2022), switched by what the pool itself shows."""
    name, why = choose(pool, rng)
    used = STRATEGIES[name]
    query = used.choose(pool, k, rng)
    return Query(query.indices, query.scores, f"{used.title}, as {why}.")


def choose(pool: Pool, rng: np.random.Generator) -> tuple[str, str]:
    """The strategy's name and the evidence for it, the end of a sentence."""
    if pool.embeddings is None:
        if pool.proba is None:
            return "random", "there are neither embeddings nor a model yet"
        return "margin", "there are no embeddings to cover the pool by"
    if pool.proba is None:
        return "maxherding", "there is no model yet"
    known = 0 if pool.labelled_embeddings is None else len(pool.labelled_embeddings)
    classes = pool.proba.shape[1]
    if known < A_CLASS * classes:
        return "maxherding", f"{known} labels are few for {classes} classes"
    if pool.labelled_embeddings is not None and pool.labelled_labels is not None:
        seen = len(np.unique(pool.labelled_labels))
        if seen < classes:
            return "maxherding", f"only {seen} of {classes} classes have a label"
        rows = sample(known, LABELLED, rng)
        agreeing = agreement(pool.labelled_embeddings[rows], pool.labelled_labels[rows])
        if agreeing < AGREE:
            return "maxherding", "images that look alike to the model do not share labels yet"
    return "uherding", f"{known:,} labels let the model say what it is unsure of"


def agreement(embeddings: Float32, labels: NDArray[np.int64]) -> float:
    """How much more often than by chance the labelled item (L, D) most like another has its label: Cohen's
    kappa of leave-one-out nearest-neighbour labels, 1 always, 0 by chance.
    """
    points = unit(embeddings)
    squared = squared_distances(points, points)
    np.fill_diagonal(squared, np.inf)
    guessed = labels[squared.argmin(axis=1)]
    share = np.bincount(labels) / len(labels)
    chance = float(share @ np.bincount(guessed, minlength=len(share)) / len(labels))
    return (float((guessed == labels).mean()) - chance) / max(1 - chance, 1e-9)
