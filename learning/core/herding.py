"""Choose points that cover others: greedy generalised herding over a kernel (Bae et al. 2024, 2025)."""

import numpy as np
from numpy.typing import NDArray

from learning.core.candidates import BATCH, View, scattered
from learning.core.duplicates import SAME
from learning.core.geometry import Float32, blocks, squared_distances
from learning.core.pool import Query, batch_first

STALE = 64  # bounds renewed at a time
PAIRS = 1_000  # labelled points whose distances set the bandwidth


def gaussian(points: Float32, probes: Float32, bandwidth: float) -> Float32:
    """exp(-(d / h)^2): (n, d), (P, d) -> (n, P)"""
    kernel = np.empty((len(points), len(probes)), dtype=np.float32)
    for block in blocks(len(points)):
        np.exp(squared_distances(points[block], probes) * np.float32(-1 / bandwidth**2), out=kernel[block])
    return kernel


def within(points: Float32, probes: Float32, radius: float) -> Float32:
    """The kernel of ProbCover: 1 up to the radius, 0 beyond. (n, d), (P, d) -> (n, P)"""
    kernel = np.empty((len(points), len(probes)), dtype=np.float32)
    for block in blocks(len(points)):
        kernel[block] = squared_distances(points[block], probes) <= radius**2
    return kernel


def gains(kernel: Float32, covered: Float32, weights: Float32) -> Float32:
    """What each point would add: sum_p w_p max(k(point, p) - covered_p, 0). (n, P), (P,), (P,) -> (n,)"""
    return np.asarray(np.maximum(kernel - covered, 0) @ weights)


def gains_of_all(kernel: Float32, covered: Float32, weights: Float32) -> Float32:
    return np.concatenate([gains(kernel[block], covered, weights) for block in blocks(len(kernel))])


def herd(
    kernel: Float32, covered: Float32, weights: Float32, count: int
) -> tuple[NDArray[np.int64], Float32]:
    """`count` <= n points that cover the probes, greedily; ties go to the lower row.

    kernel (n, P); covered (P,): how well each probe is covered already, 0..1; weights (P,): how much each
    counts. Returns the points in the order chosen, and how well the probes are covered then.

    The gain of a point only falls as others are chosen (the sum is submodular), so an old gain bounds the new
    one, and only points whose bound leads are computed again (Minoux 1978).
    """
    covered = covered.copy()
    bounds = gains_of_all(kernel, covered, weights)
    chosen = np.empty(count, dtype=np.int64)
    fresh = np.ones(len(kernel), dtype=bool)
    for place in range(count):
        while not fresh[best := int(bounds.argmax())]:
            leading = np.argpartition(-bounds, min(STALE, len(bounds)) - 1)[:STALE]
            renew = np.union1d(leading[~fresh[leading]], best)
            bounds[renew] = gains(kernel[renew], covered, weights)
            fresh[renew] = True
        chosen[place] = best
        np.maximum(covered, kernel[best], out=covered)
        bounds[best] = -np.inf
        fresh[:] = False
    return chosen, covered


def ranked(
    seen: View, kernel: Float32, covered: Float32, weights: Float32, k: int, rng: np.random.Generator
) -> Query:
    """The herd's batch first, then the candidates by what each would still add, then all others at random."""
    size = seen.size
    chosen, covered = herd(kernel, covered, weights, min(k, BATCH))
    left = gains_of_all(kernel, covered, weights) if k > BATCH else np.zeros(len(kernel), dtype=np.float32)
    return batch_first(seen.rows[chosen], scattered(seen.rows, left, size, rng), k)


def coverage(kernel_of_known: Float32) -> Float32:
    """How well the probes are covered by what is known: (L, P) -> (P,), 0 when nothing is."""
    return np.asarray(kernel_of_known.max(axis=0, initial=0))


def bandwidth(labelled: Float32) -> float:
    """The smallest distance between two labelled points that are no near-copies; 1 before there are two.

    So the kernel narrows as labels fill the space (Bae et al. 2025, section 4).
    """
    some = labelled[:PAIRS]
    apart = squared_distances(some, some)[np.triu_indices(len(some), 1)]
    apart = apart[apart > 2 * SAME]  # |a - b|^2 = 2 (1 - cos) on the unit sphere
    return float(np.sqrt(apart.min())) if len(apart) else 1.0
