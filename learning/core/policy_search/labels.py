"""Which labels a search can work with."""

import numpy as np
from numpy.typing import NDArray


def too_few(labels: NDArray[np.int64], classes: int) -> str:
    """Why nothing can be judged on these labels, in a sentence; "" if it can."""
    if len(labels) < classes:
        return f"There are {len(labels)} labels for {classes} classes: a search needs one of each at least."
    found, counts = np.unique(labels, return_counts=True)
    if len(found) < 2:
        return "All labels are of one class: a policy is judged by telling classes apart, so label another."
    if (counts >= 2).sum() < 2:
        return "No two classes have two labels each, one to learn and one to ask: label more."
    return ""
