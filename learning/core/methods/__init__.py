"""Training methods, one file each. Adding one: a new file here that uses `@method`; nothing else."""

from learning.core.methods.base import (
    METHODS,
    NO_LABEL,
    Method,
    TrainingData,
    fit_committee,
    fit_questions,
    method,
)
from learning.core.methods.head import Head, softmax
from learning.core.registry import import_siblings

__all__ = [
    "METHODS",
    "NO_LABEL",
    "Head",
    "Method",
    "TrainingData",
    "fit_committee",
    "fit_questions",
    "method",
    "softmax",
]

import_siblings(__name__, __path__)
