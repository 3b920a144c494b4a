"""Augmentation: operations, a family a file, policies made of them, and fixed ways that go by a name.

Adding an operation: a function with `@operation` in the file of its family, or in a new one here.
"""

from learning.core.augmentation.base import OPERATIONS, Drawn, Operation, operation
from learning.core.augmentation.fixed import AUGMENTATIONS, Augmentation
from learning.core.augmentation.policy import Applied, Augment, Policy, joined, policy_from
from learning.core.registry import import_siblings

__all__ = [
    "AUGMENTATIONS",
    "OPERATIONS",
    "Applied",
    "Augment",
    "Augmentation",
    "Drawn",
    "Operation",
    "Policy",
    "joined",
    "operation",
    "policy_from",
]

import_siblings(__name__, __path__)
