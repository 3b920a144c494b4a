"""What every linear head sees: standardised embeddings of unit length."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.core.methods.head import Float32, Head, head_of_seen, unit
from learning.core.methods.softmax_regression import Weights


@dataclass(frozen=True)
class Standard:
    centre: Float32  # (D,)
    scale: Float32  # (D,)

    def features(self, embeddings: Float32) -> Float32:
        """(n, D) -> (n, D), rows of length 1."""
        return unit((embeddings - self.centre) / self.scale)

    def head(self, found: Weights, seen: NDArray[np.int64], classes: int) -> Head:
        """The head of weights fitted on `features` for the classes `seen` (S,)."""
        return head_of_seen(
            centre=self.centre,
            scale=self.scale,
            weight=found.weight,
            bias=found.bias,
            seen=seen,
            classes=classes,
            normalise=True,
        )


def standard_of(embeddings: Float32) -> Standard:
    """Centre and scale of these (n, D).

    A feature that hardly varies among few items must not be blown up by it, so a tenth of the mean deviation
    is added to each.
    """
    centre = embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
    deviation = embeddings.std(axis=0, dtype=np.float64)
    return Standard(centre, (deviation + 0.1 * deviation.mean() + 1e-6).astype(np.float32))
