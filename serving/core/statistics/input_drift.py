"""Do the images that clients send look like the training pool's? Their backbone's features are compared.

Of each image only its place along the pool's main directions is kept, a few numbers that say next to nothing
of what it shows; a window of them is compared with some of the pool's images.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.core.lazy import lazy
from serving.core.statistics.drift import Drift
from serving.core.statistics.permutation import permutation_p

linalg = lazy("scipy.linalg", often=False)

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

DIRECTIONS = 16
LEAST_POOL = 200
FLAT = 1e-4  # of the largest spread: less is how the pool's embeddings are rounded, and live ones are not


@dataclass(frozen=True)
class InputReference:
    """The main directions of a pool's embeddings, and where some of its images lie along them."""

    directions: Singles  # (D, d), whitening: the pool has unit variance along each
    middle: Singles  # (d,), of the pool along them
    pool: Singles  # (n, d), the places of n images that had no part in finding the directions

    def places(self, embeddings: Singles) -> Singles:
        """(n, D) -> (n, d): all that is kept of an image, some microseconds each."""
        found: Singles = embeddings @ self.directions
        found -= self.middle
        return found


def input_reference(embeddings: Singles, rng: np.random.Generator) -> InputReference:
    """Of the pool's `embeddings` (N, D), in halves drawn by `rng`: one gives the directions, the other says
    how images lie along them. Directions fit the images that they were found by better than any others, and
    with as many features as images live traffic would look strange for that alone.

    Raises ValueError for fewer than LEAST_POOL, or for values that are not finite.
    """
    n = len(embeddings)
    if n < LEAST_POOL:
        raise ValueError(f"Drift of inputs needs a pool of {LEAST_POOL} images or more, not {n}.")
    if not np.isfinite(embeddings).all():
        raise ValueError("The pool's embeddings hold values that are not finite: embed its images again.")
    drawn = rng.permutation(n)
    finding, judging = embeddings[drawn[: n // 2]], embeddings[drawn[n // 2 :]]
    center = finding.mean(axis=0, dtype=float)
    directions = _directions((finding - center).astype(np.float32))
    middle = (center @ directions).astype(np.float32)
    return InputReference(directions, middle, judging @ directions - middle)


def _directions(centered: Singles) -> Singles:
    """(n, D) -> (D, d): principal axes by falling spread, each divided by its own. Raises ValueError."""
    n, features = centered.shape
    # The smaller of the two products has the same spreads, and gives the axes as well.
    few = n < features
    product = (centered @ centered.T if few else centered.T @ centered) / (n - 1)
    size = len(product)
    spread, vectors = linalg.eigh(product, subset_by_index=[max(0, size - DIRECTIONS), size - 1])
    if not spread[-1] > 0:
        raise ValueError("The pool's embeddings are all the same: there is nothing to compare with.")
    kept = spread > FLAT * spread[-1]
    spread, vectors = spread[kept], vectors[:, kept]
    axes = centered.T @ vectors / np.sqrt(spread * (n - 1)) if few else vectors
    found: Singles = (axes / np.sqrt(spread))[:, ::-1].astype(np.float32)
    return found


def inputs_drift(places: Singles, reference: InputReference, rng: np.random.Generator) -> Drift:
    """Of a window's `places` (n, d): are they and the pool's drawn from one distribution?

    Hotelling's statistic (1931) of the means of their traits, judged by permutations. Its own distribution
    holds for normal traits: with the pool's real ones and some hundred images it raised false notices more
    often than it says. `size` is the Mahalanobis distance of the means, in the pool's spreads.
    """
    n = len(places)
    if n == 0:
        return Drift(1.0, None, 0)
    pool, live = _traits(reference.pool), _traits(places)
    away = live.mean(axis=0) - pool.mean(axis=0)
    squared = float(away @ np.linalg.pinv(np.cov(pool, rowvar=False)) @ away)
    return Drift(permutation_p(pool, live, rng), float(np.sqrt(max(0.0, squared))), n)


def _traits(places: Singles) -> Floats:
    """(n, d) -> (n, d + 1): the places, and last how far from the middle. The directions see a shift; the
    distance sees noise, blur and strange images, which have no direction. Its logarithm, because else the
    few that are far away outweigh all others.
    """
    along = places.astype(float)
    far = np.log1p(np.square(along).sum(axis=1, keepdims=True))
    return np.concatenate([along, far], axis=1)
