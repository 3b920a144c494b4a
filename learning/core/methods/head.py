"""The trained part of a model: a linear classifier on standardised embeddings, or on a layer over them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
BLOCK = 256  # rows at a time: they stay in the processor's cache

# The logit of a class nobody has labelled yet. The logits of the others have mean 0, so the largest is >=
# 0 and the unseen class gets a probability of at most 1e-4 (at temperature 1): small, never 0, never NaN.
UNSEEN_LOGIT = float(np.log(1e-4))


@dataclass(frozen=True)
class Trunk:
    """h = max(z @ weight.T + bias, 0)"""

    weight: Float32  # (H, D)
    bias: Float32  # (H,)


@dataclass(frozen=True)
class Head:
    """logits = z @ weight.T + bias, where z = (x - centre) / scale, each part of length 1 when `normalise`.

    With a trunk, its h stands for z.
    """

    centre: Float32  # (D,)
    scale: Float32  # (D,)
    weight: Float32  # (K, D), with a trunk (K, H)
    bias: Float32  # (K,)
    normalise: bool
    note: str = ""  # one sentence for people: what was chosen or left out in fitting, and why
    trunk: Trunk | None = None
    parts: tuple[int, ...] = ()  # features of each part of an embedding; () for a whole

    def logits(self, embeddings: Float32) -> Float32:
        """(n, D) -> (n, K)"""
        logits = np.empty((len(embeddings), len(self.bias)), np.float32)
        for start in range(0, len(embeddings), BLOCK):
            z = embeddings[start : start + BLOCK] - self.centre
            z /= self.scale
            if self.normalise:
                for part in slices(z.shape[1], self.parts):
                    of = z[:, part]
                    of /= np.maximum(np.sqrt(np.einsum("nd,nd->n", of, of)), 1e-12)[:, None]
            if self.trunk is not None:
                z = np.maximum(z @ self.trunk.weight.T + self.trunk.bias, 0)
            logits[start : start + BLOCK] = z @ self.weight.T + self.bias
        return logits

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        shared = (
            {} if self.trunk is None else {"trunk.bias": self.trunk.bias, "trunk.weight": self.trunk.weight}
        )
        parted = {"parts": np.array(self.parts, dtype=np.int64)} if self.parts else {}
        return {
            "bias": self.bias,
            "centre": self.centre,
            "normalise": np.array([self.normalise], dtype=np.uint8),
            "scale": self.scale,
            "weight": self.weight,
            **shared,
            **parted,
        }


def slices(features: int, parts: Sequence[int]) -> list[slice]:
    """Where each part of an embedding lies; a whole is one part."""
    edges = [0, *np.cumsum(parts or [features]).tolist()]
    return [slice(start, end) for start, end in pairwise(edges)]


def unit(z: Float32, parts: Sequence[int] = ()) -> Float32:
    """Rows of length 1, each part of them; one of zeros stays."""
    made = [
        z[:, part] / np.maximum(np.linalg.norm(z[:, part], axis=1, keepdims=True), 1e-12)
        for part in slices(z.shape[1], parts)
    ]
    return np.concatenate(made, axis=1, dtype=np.float32)


def head_of_seen(
    *,
    centre: NDArray[np.floating],
    scale: NDArray[np.floating],
    weight: NDArray[np.floating],
    bias: NDArray[np.floating],
    seen: NDArray[np.int64],
    classes: int,
    normalise: bool,
    trunk: Trunk | None = None,
    parts: tuple[int, ...] = (),
) -> Head:
    """A head for all `classes` from weights (S, D) and biases (S,) of the S classes seen in training."""
    full_weight = np.zeros((classes, weight.shape[1]), dtype=np.float32)
    full_bias = np.full(classes, UNSEEN_LOGIT, dtype=np.float32)
    full_weight[seen] = weight - weight.mean(axis=0)
    full_bias[seen] = bias - bias.mean()
    return Head(
        centre.astype(np.float32),
        scale.astype(np.float32),
        full_weight,
        full_bias,
        normalise,
        trunk=trunk,
        parts=parts,
    )


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))
