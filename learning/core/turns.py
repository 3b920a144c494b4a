"""One ranking of several: each in turn asks for the best item that is not asked for yet.

An item's place is the best of its places in the rankings, which is the maximum of its usefulness to the
questions once each is normalised by rank: "alternating selection" in Reichart et al. 2008, Multi-Task Active
Learning for Linguistic Annotations. The mean of the places would pull apart what a strategy chose as a batch,
whose second item is only good beside the first. The maximum keeps each question's order as it is.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


def take_turns(rankings: Sequence[Ids]) -> Ids:
    """Every item of the rankings once, best first. The first ranking has the first turn."""
    if not rankings:
        return np.empty(0, np.int64)
    every = np.concatenate(rankings)
    places = np.concatenate([np.arange(len(one)) for one in rankings])
    whose = np.repeat(np.arange(len(rankings)), [len(one) for one in rankings])
    asked = every[np.lexsort((whose, places))]
    _, first = np.unique(asked, return_index=True)
    return asked[np.sort(first)].astype(np.int64)
