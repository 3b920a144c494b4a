from collections.abc import Mapping
from typing import Any

import numpy as np

from learning.core.methods.base import NO_LABEL, TrainingData, declared, method, positive
from learning.core.methods.head import Head
from learning.core.methods.softmax_regression import softmax_regression
from learning.core.methods.standardise import standard_of
from learning.core.methods.transfer import PENALTY

SHARE = 1.0  # what all soft labels weigh together, in people's labels; nothing else is there without them


@method(
    "weak-supervision",
    title="Weak supervision",
    summary="learns from what your rules vote as well; helps before people have labelled much.",
    needs={"soft"},
    member="transfer",
    effort=4,
)
def weak_supervision(data: TrainingData, config: Mapping[str, Any], rng: np.random.Generator) -> Head:
    """Noise-aware training (Ratner et al. 2016): cross-entropy to the rules' probabilistic labels.

    Where a person labelled an item, that label alone counts, whatever the rules say. Soft labels weigh less
    the nearer they are to knowing nothing, and all of them together no more than all of people's labels.
    """
    strength = positive(config, "C", PENALTY)
    soft = declared(data.soft)
    people = data.labels != NO_LABEL
    targets = np.where(people[:, None], np.eye(data.classes)[data.labels], soft)  # (n, K)
    own = np.ones(len(people)) if data.weight is None else data.weight
    entropy = -(targets * np.log(np.maximum(targets, 1e-12))).sum(axis=1) / np.log(data.classes)
    weight = own * np.where(people, 1.0, np.maximum(1 - entropy, 1e-3))
    if people.any() and (~people).any():
        weight[~people] *= min(1.0, SHARE * weight[people].sum() / max(weight[~people].sum(), 1e-12))
    seen = np.unique(targets.argmax(axis=1))
    inside = targets[:, seen].sum(axis=1, keepdims=True)
    standard = standard_of(data.embeddings, data.parts)
    found = softmax_regression(
        standard.features(data.embeddings),
        targets[:, seen] / inside,
        weight,
        strength=strength,
        tick=data.tick,
    )
    return standard.head(found, seen, data.classes)
