from collections.abc import Mapping
from typing import Any

import numpy as np

from learning.core.methods.base import TrainingData, method, positive
from learning.core.methods.head import Head
from learning.core.methods.softmax_regression import Weights
from learning.core.methods.standardise import Standard


@method(
    "prototypes",
    title="Prototypes",
    summary="compares with the average of each label; works from one example a label.",
    effort=0.2,
)
def prototypes(data: TrainingData, config: Mapping[str, Any], rng: np.random.Generator) -> Head:
    """SimpleShot (Wang et al. 2019, CL2N): centre, scale to length 1, nearest class mean.

    -sharpness |z - c|^2 differs between classes by sharpness (2 z.c - |c|^2), which is linear in z.
    """
    sharpness = positive(config, "sharpness", 5.0)
    centre = data.embeddings.mean(axis=0)
    standard = Standard(centre, np.ones_like(centre), data.parts)
    z = standard.features(data.embeddings).astype(np.float64)  # (n, D)
    seen = np.unique(data.labels)
    means = np.stack([z[data.labels == label].mean(axis=0) for label in seen])  # (S, D)
    return standard.head(
        Weights(2 * sharpness * means, -sharpness * (means**2).sum(axis=1)), seen, data.classes
    )
