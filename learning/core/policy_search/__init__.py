"""Searches for an augmentation policy, one file each. Adding one: a new file here that uses `@search`."""

from learning.core.policy_search.base import SEARCHES, Judged, Search, Searcher, search
from learning.core.policy_search.space import Choices, SearchSpace
from learning.core.registry import import_siblings

__all__ = ["SEARCHES", "Choices", "Judged", "Search", "SearchSpace", "Searcher", "search"]

import_siblings(__name__, __path__)
