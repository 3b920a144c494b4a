"""The learning rate that goes with a batch."""

import math


def rate_for(batch: int, rate: float, usual: int) -> float:
    """By the square-root rule for Adam (Malladi et al. 2022); `rate` goes with the `usual` batch."""
    return rate * math.sqrt(batch / usual)
