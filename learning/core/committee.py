"""What the members of a committee say of each item, and scores of it, without large arrays on the way.

With 5 members, 20,000 items and 1,000 classes one array in double precision is 800 MB, and each measure makes
several. So probabilities are kept in single precision and scored, in double, in blocks of items.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.core.methods.head import Float32, Head, softmax

CELLS = 1_000_000  # members x items x classes of a block: 8 MB in double precision

Floats = NDArray[np.float64]
Members = NDArray[np.floating[Any]]  # (C, N, K)


def members_say(heads: Sequence[Head], features: Float32) -> Float32:
    """The probabilities (C, N, K) by each head of items with these features (N, D)."""
    classes = len(heads[0].bias)
    found = np.empty((len(heads), len(features), classes), dtype=np.float32)
    step = max(1, CELLS // classes)
    for head, proba in zip(heads, found, strict=True):
        for start in range(0, len(features), step):
            part = slice(start, start + step)
            proba[part] = softmax(head.logits(features[part]))
    return found


def scored(measure: Callable[[Floats], Floats], members: Members) -> Floats:
    """(N,): `measure` takes (C, n, K) to (n,), and scores every item by itself."""
    models, items, classes = members.shape
    found = np.empty(items)
    step = max(1, CELLS // max(models * classes, 1))
    for start in range(0, items, step):
        part = slice(start, start + step)
        found[part] = measure(members[:, part].astype(np.float64))
    return found
