"""Labels spread over a graph of neighbours, from few examples."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from learning.core.lazy import lazy

neighbors = lazy("sklearn.neighbors")
sparse_linalg = lazy("scipy.sparse.linalg")

Floats = NDArray[np.floating]
LEAK = 1e-5  # of each node's degree: makes the equation solvable where the graph has several parts


def neighbour_graph(features: Floats, k: int = 10) -> sparse.csr_array:
    """Symmetric weights (n, n) of the k nearest neighbours: exp(-4 d^2 / d_k^2) (Calder et al. 2020, 4.1)."""
    n = len(features)
    distance, index = (
        neighbors.NearestNeighbors(n_neighbors=min(k, n - 1), algorithm="brute").fit(features).kneighbors()
    )
    weight = np.exp(-4 * (distance / np.maximum(distance[:, -1:], 1e-12)) ** 2)
    rows = np.repeat(np.arange(n), index.shape[1])
    directed = sparse.csr_array((weight.ravel(), (rows, index.ravel())), shape=(n, n), dtype=np.float64)
    return (directed + directed.T) / 2


def poisson_learning(
    graph: sparse.csr_array, labelled: NDArray[np.int64], labels: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    """Scores u (n, K) with  L u = sum_j (y_j - ybar) delta_j  (Calder et al. 2020, eq. 2.2-2.3).

    L is the graph's Laplacian, plus LEAK of each degree. Each labelled node is a source of its class; unlike
    label propagation, the solution does not flatten out when few nodes are labelled. Conjugate gradients, one
    class at a time. The largest score is the label.
    """
    degree = np.asarray(graph.sum(axis=1)).ravel()
    degree = np.maximum(degree, 1e-12)
    system = sparse.diags_array((1 + LEAK) * degree) - graph
    sources = np.zeros((graph.shape[0], classes))
    hot = np.eye(classes)[labels]
    np.add.at(sources, labelled, hot - hot.mean(axis=0))
    inverse = sparse.diags_array(1 / degree)
    scores = np.empty_like(sources)
    for column in range(classes):
        scores[:, column], _ = sparse_linalg.cg(
            system, sources[:, column], rtol=1e-6, maxiter=2000, M=inverse
        )
    # The constant of the equation is free: scores weigh nothing in total (eq. 2.3).
    return np.asarray(scores - (degree @ scores) / degree.sum())
