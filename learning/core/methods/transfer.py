from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from learning.core.methods.base import TrainingData, method
from learning.core.methods.head import Head, head_of_seen


@method(
    "transfer",
    title="Transfer",
    summary="a linear classifier on pretrained features; the one to start with.",
)
def transfer(data: TrainingData, config: Mapping[str, Any], rng: np.random.Generator) -> Head:
    centre = data.embeddings.mean(axis=0)
    scale = np.full_like(centre, max(float(data.embeddings.std()), 1e-6))
    z = ((data.embeddings - centre) / scale).astype(np.float64)
    model = LogisticRegression(C=float(config.get("C", 0.1)), max_iter=200).fit(z, data.labels)
    weight, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return head_of_seen(
        centre=centre,
        scale=scale,
        weight=weight,
        bias=bias,
        seen=model.classes_,
        classes=data.classes,
        normalise=False,
    )
