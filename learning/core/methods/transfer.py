import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from learning.core.lazy import lazy
from learning.core.methods.base import TrainingData, method, positive
from learning.core.methods.head import Head, head_of_seen, unit

exceptions = lazy("sklearn.exceptions")
linear_model = lazy("sklearn.linear_model")

# Measured with margin queries from 20 to 200 labels on digits and Fashion-MNIST: unit length beats plain
# standardising at few labels, per-feature scaling lets features of several layers count alike, and C = 30 and
# C = 100 differ by noise.
PENALTY = 100.0
STEPS = 300
TOLERANCE = 1e-3  # of the gradient; a tenth of it costs twice the time


@method(
    "transfer",
    title="Transfer",
    summary="a linear classifier on pretrained features; the one to start with.",
)
def transfer(data: TrainingData, config: Mapping[str, Any], rng: np.random.Generator) -> Head:
    """Multinomial logistic regression with an L2 penalty on standardised embeddings of unit length.

    `config["C"]`: inverse strength of the penalty. The same data and config give bit-identical weights on the
    CPU of one kind of machine: the solver is deterministic and has one thread, whatever the number of cores.
    """
    strength = positive(config, "C", PENALTY)
    centre = data.embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
    deviation = data.embeddings.std(axis=0, dtype=np.float64)
    # A feature that hardly varies among few labels must not be blown up by it.
    scale = (deviation + 0.1 * deviation.mean() + 1e-6).astype(np.float32)
    z = unit((data.embeddings - centre) / scale)  # (n, D)
    with threadpool_limits(1), warnings.catch_warnings():
        # A head that stopped at STEPS is judged on the hold-out like any other.
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
        # The optimum lies in the span of the examples: with few labels, solve in those n dimensions.
        axes = np.linalg.qr(z.T)[0] if 4 * len(z) < z.shape[1] else None  # (D, n)
        model = linear_model.LogisticRegression(C=strength, max_iter=STEPS, tol=TOLERANCE).fit(
            z if axes is None else z @ axes, data.labels
        )
        weight = model.coef_ if axes is None else model.coef_ @ axes.T
    bias = model.intercept_
    if len(model.classes_) == 2:  # one logit for two classes
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return head_of_seen(
        centre=centre,
        scale=scale,
        weight=weight,
        bias=bias,
        seen=model.classes_,
        classes=data.classes,
        normalise=True,
    )
