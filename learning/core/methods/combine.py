"""How the losses of several questions become one step of what they share.

Each takes the questions' gradients of the shared weights (Q, P), their losses (Q,) and log variances (Q,).
It gives the shared gradient (P,), what each question's own gradient is multiplied by (Q,), and the gradient
of the log variances (Q,).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Step = tuple[Floats, Floats, Floats]
Combine = Callable[[Floats, Floats, Floats, np.random.Generator], Step]


def total(gradients: Floats, losses: Floats, log_variance: Floats, rng: np.random.Generator) -> Step:
    """The plain sum of losses, which is hard to beat (Kurin et al. 2022, arXiv 2201.04122)."""
    return gradients.sum(axis=0), np.ones_like(losses), np.zeros_like(losses)


def uncertainty(gradients: Floats, losses: Floats, log_variance: Floats, rng: np.random.Generator) -> Step:
    """sum_q exp(-s_q) L_q + s_q / 2, the s learned with the weights (Kendall et al. 2018, equation 10)."""
    factors = np.exp(-log_variance)
    return factors @ gradients, factors, 0.5 - factors * losses


def pcgrad(gradients: Floats, losses: Floats, log_variance: Floats, rng: np.random.Generator) -> Step:
    """Each gradient loses its part against every other, in a random order (Yu et al. 2020, algorithm 1)."""
    surgery = np.array(gradients)
    for mine, gradient in enumerate(surgery):
        for other in rng.permutation(len(gradients)):
            along = float(gradient @ gradients[other])
            if other != mine and along < 0:
                gradient -= along / float(gradients[other] @ gradients[other]) * gradients[other]
    return surgery.sum(axis=0), np.ones_like(losses), np.zeros_like(losses)


COMBINE: dict[str, Combine] = {"sum": total, "uncertainty": uncertainty, "pcgrad": pcgrad}
