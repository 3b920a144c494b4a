"""How many pictures does a step need? Below the gradient noise scale, twice as many make it nearly twice as
good.
"""

from collections.abc import Callable

import numpy as np
import torch

CHUNKS = 8  # small batches of a large one
STEPS = 8  # that the noise is averaged over
SMOOTHING = 0.9

Gradient = Callable[[int], torch.Tensor]  # the gradient (P,) of so many new pictures
Descend = Callable[[torch.Tensor], None]  # a step of the training, with this gradient (P,)


def noise_scale(gradient: Gradient, descend: Descend, *, small: int) -> float | None:
    """McCandlish et al. 2018, equations A.2 and A.3: |G|^2 and tr(S) from gradients of two batch sizes, both
    smoothed over steps before their quotient is taken. None where |G|^2 is lost in the noise.

    The network learns on the way: where a training begins, its gradients say least of the rest of it.
    """
    big = small * CHUNKS
    signal = spread = 0.0
    for number in range(STEPS):
        total = gradient(small)
        of_small = float(total.square().sum())
        for _ in range(CHUNKS - 1):
            one = gradient(small)
            of_small += float(one.square().sum())
            total = total + one
        of_small /= CHUNKS
        mean = total / CHUNKS
        of_big = float(mean.square().sum())
        kept = min(SMOOTHING, number / (number + 1))
        signal = kept * signal + (1 - kept) * (big * of_big - small * of_small) / (big - small)
        spread = kept * spread + (1 - kept) * (of_small - of_big) / (1 / small - 1 / big)
        descend(mean)
    return spread / signal if signal > 0 and np.isfinite(spread / signal) else None
