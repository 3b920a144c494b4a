"""Ways to learn features, one file each. Adding one: a new file here that uses `@pretraining`."""

from learning.core.pretraining.base import (
    PRETRAININGS,
    Answered,
    Lessons,
    Loop,
    Pretraining,
    Step,
    closed_form,
    pretraining,
)
from learning.core.registry import import_siblings

__all__ = ["PRETRAININGS", "Answered", "Lessons", "Loop", "Pretraining", "Step", "closed_form", "pretraining"]

import_siblings(__name__, __path__)
