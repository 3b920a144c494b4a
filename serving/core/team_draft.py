"""One list out of two rankings, so that a choice from it is a vote."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Draft:
    """`teams` says whose pick each label is; "" where only a coin could say, which is nobody's."""

    labels: tuple[str, ...]
    teams: tuple[str, ...]

    def vote(self, label: str) -> str:
        """Whose pick was chosen; "" for a tie, also for a label that is not in the list."""
        return self.teams[self.labels.index(label)] if label in self.labels else ""

    @property
    def shared(self) -> int:
        """How many labels at the head of the list are nobody's."""
        return next((at for at, team in enumerate(self.teams) if team), len(self.teams))


def team_draft(rankings: dict[str, Sequence[str]], length: int, rng: np.random.Generator) -> Draft:
    """Two named `rankings`, best first -> a list of up to `length` different labels.

    The team with fewer picks takes its best label that is not in the list yet; of equals, a coin says who
    begins (team-draft interleaving; Radlinski, Kurup and Joachims 2008). Where both would begin with the same
    label, it is taken and credited to nobody: credit would be the coin's. What both rankings begin with is so
    (Radlinski and Craswell 2010), and also what follows after labels that they swap.

    Raises ValueError for other than two rankings.
    """
    if len(rankings) != 2:
        raise ValueError(f"Two rankings can be drafted from, not {len(rankings)}.")
    labels: list[str] = []
    teams: list[str] = []
    while len(labels) < length:
        tops = {name: next((one for one in rankings[name] if one not in labels), None) for name in rankings}
        able = sorted(name for name, top in tops.items() if top is not None)
        if not able:
            break
        fewest = [name for name in able if teams.count(name) == min(teams.count(other) for other in able)]
        pick = fewest[int(rng.integers(len(fewest)))]
        labels.append(str(tops[pick]))
        teams.append("" if len(fewest) == 2 and len(set(tops.values())) == 1 else pick)
    return Draft(tuple(labels), tuple(teams))
