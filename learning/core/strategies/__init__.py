"""Query strategies, one file each. Adding one: a new file here that uses `@strategy`; nothing else."""

from learning.core.registry import import_siblings
from learning.core.strategies.base import STRATEGIES, Selection, Strategy, screen_of, select, strategy

__all__ = ["STRATEGIES", "Selection", "Strategy", "screen_of", "select", "strategy"]

import_siblings(__name__, __path__)
