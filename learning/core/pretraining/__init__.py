"""Ways to pretrain, one file each. Adding one: a new file here that uses `@pretraining`; nothing else."""

from learning.core.pretraining.base import PRETRAININGS, Pretraining, pretraining
from learning.core.registry import import_siblings

__all__ = ["PRETRAININGS", "Pretraining", "pretraining"]

import_siblings(__name__, __path__)
