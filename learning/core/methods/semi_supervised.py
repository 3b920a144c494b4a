from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from learning.core.lazy import lazy
from learning.core.methods.base import TrainingData, declared, method, positive
from learning.core.methods.head import Float32, Head
from learning.core.methods.poisson import neighbour_graph, poisson_learning
from learning.core.methods.softmax_regression import softmax_regression
from learning.core.methods.standardise import standard_of
from learning.core.methods.transfer import PENALTY

decomposition = lazy("sklearn.decomposition")

NODES = 20_000  # unlabelled items in the graph
AXES = 64  # principal components in which neighbours are looked for
FITTED = 2_000  # items whose spread says what the components are, and which the head is distilled from
KEPT = 0.7  # of the unlabelled: those the graph is surest of
# All graph labels together weigh a tenth of all people's labels. Chosen on digits of (equal to each label, a
# third, a tenth): 85.2% instead of 84.6% and 82.8% at 40 labels, where transfer alone had 83.4%.
SHARE = 0.1


@method(
    "semi-supervised",
    title="Semi-supervised",
    summary="spreads the labels to similar items without one; helps with the first few labels a class.",
    needs={"unlabelled"},
    member="transfer",
    effort=8,
    open_seconds=2e-4,  # 4 s with 20,000, where 1,300 take a quarter of a second
    open_copies=4.5,
)
def semi_supervised(data: TrainingData, config: Mapping[str, Any], rng: np.random.Generator) -> Head:
    """Poisson learning (Calder et al. 2020) on a graph of neighbours, distilled to a linear head.

    The surest graph labels join people's labels, with less weight, in one regression. A pool larger than
    NODES is sampled.
    """
    strength = positive(config, "C", PENALTY)
    pool = sample(declared(data.unlabelled), NODES, rng)
    standard = standard_of(sample(np.concatenate([data.embeddings, pool]), FITTED, rng), data.parts)
    z = standard.features(np.concatenate([data.embeddings, pool]))  # (n + U, D), the labelled first
    seen, which = np.unique(data.labels, return_inverse=True)
    n = len(which)
    with threadpool_limits(1):
        graph = neighbour_graph(reduced(z, rng))
        scores = poisson_learning(graph, np.arange(n), which, len(seen))[n:]  # (U, S)
        found = sure(scores, KEPT)
        kept = np.sort(sample(found, FITTED, rng))
        targets = np.concatenate([which, scores[kept].argmax(axis=1)])
        own = np.ones(n) if data.weight is None else data.weight
        weight = np.concatenate([own, np.full(len(kept), SHARE * own.sum() / max(len(kept), 1))])
        rows = np.concatenate([np.arange(n), n + kept])
        fitted = softmax_regression(
            z[rows], np.eye(len(seen))[targets], weight, strength=strength, tick=data.tick
        )
    return standard.head(fitted, seen, data.classes)


def sample(items: NDArray[Any], most: int, rng: np.random.Generator) -> NDArray[Any]:
    """At most so many, in their order."""
    return items if len(items) <= most else items[np.sort(rng.choice(len(items), most, replace=False))]


def reduced(z: Float32, rng: np.random.Generator) -> Float32:
    """(n, D) -> (n, AXES at most): neighbours are found fast, and by what varies."""
    some = sample(z, FITTED, rng)
    axes = min(AXES, *some.shape)
    solver = decomposition.PCA(axes, svd_solver="randomized", random_state=int(rng.integers(2**31)))
    if axes == z.shape[1] or float(some.var(axis=0).sum()) < 1e-12:
        return z
    return np.asarray(solver.fit(some).transform(z), dtype=np.float32)


def sure(scores: NDArray[np.float64], share: float) -> NDArray[np.int64]:
    """The rows with the largest margins between best and second best, in their order."""
    ordered = np.sort(scores, axis=1)
    margin = ordered[:, -1] - ordered[:, -2]
    return np.sort(np.argsort(-margin, kind="stable")[: int(np.ceil(share * len(margin)))])
