"""A whole search, batch after batch: proposals, then the best of them again, then the winner and its rivals.

It says what is to be judged and is told the rewards; who judges, how many at once, and in which process does
not matter: the same config gives the same trials. One that was interrupted is repeated from what it was told.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from learning.core.augmentation import AUGMENTATIONS, Augment, Policy, joined
from learning.core.policy_search.base import SEARCHES, Judged
from learning.core.policy_search.config import SearchConfig
from learning.core.policy_search.space import Choices
from learning.core.policy_search.verdict import NONE, Verdict

Kind = Literal["search", "finalist", "confirmation"]
FINALISTS = 5
FINALIST_SEEDS, CONFIRMATION_SEEDS = 3, 6
JOINED = "joined"


@dataclass(frozen=True)
class Trial:
    number: int  # from 0 on
    kind: Kind
    seed: int
    candidate: str  # "trial 17", "joined", or the name of a fixed augmentation
    policy: Policy | None  # None: the fixed augmentation that the candidate names
    choices: Choices = ()  # of proposals

    @property
    def augment(self) -> Augment:
        return self.policy or AUGMENTATIONS[self.candidate].apply


class Session:
    def __init__(self, config: SearchConfig) -> None:
        self.config = config
        self.searcher = SEARCHES[config.search].begin(config.space, config.rate, config.seed)
        self.judged: list[tuple[Trial, float]] = []
        self._searching = True
        self._open: list[Trial] = []

    @staticmethod
    def expected(config: SearchConfig) -> int:
        """About how many trials there will be in all."""
        found = min(config.trials, FINALISTS)
        finalists = found + (found > 1) + len(config.fixed)
        met = 2 + len(config.rivals) + bool(config.fixed)
        return config.trials + FINALIST_SEEDS * finalists + CONFIRMATION_SEEDS * met

    @property
    def how(self) -> Judged:
        """How proposals are judged; finalists always are by children."""
        return SEARCHES[self.config.search].judged

    def batch(self) -> list[Trial]:
        """The trials to judge now, none when all is over. The same ones until their rewards are told."""
        if not self._open:
            self._open = self._proposals() or self._finalists() or self._confirmations()
        return self._open

    def tell(self, rewards: Sequence[float]) -> None:
        """What the trials of the batch were worth, in its order."""
        if self._open[0].kind == "search":
            self.searcher.tell([one.choices for one in self._open], np.array(rewards, np.float64))
        self.judged += zip(self._open, rewards, strict=True)
        self._open = []

    def enough(self) -> None:
        """No more proposals: time is over. Those that are open are dropped, the best become finalists."""
        if self._open and self._open[0].kind == "search":
            self._open = []
        self._searching = False

    def of_kind(self, kind: Kind) -> list[tuple[Trial, float]]:
        return [(trial, reward) for trial, reward in self.judged if trial.kind == kind]

    def verdict(self) -> Verdict:
        """Once all is over: the policy that won, and what it and the best fixed augmentation are worth."""
        candidate, policy, fixed, ahead = self._winners()
        rewards = self._rewards("confirmation")
        # The finalists had few seeds: what needs no search must also keep its lead.
        keeps = ahead and np.mean(rewards[fixed]) > np.mean(rewards[candidate])
        return Verdict(policy, candidate, fixed, fixed if keeps else candidate, self._in_use(), rewards)

    def _proposals(self) -> list[Trial]:
        begun = len(self.judged)
        count = min(self.config.together, self.config.trials - begun)
        if not self._searching or count <= 0:
            self._searching = False
            return []
        return [
            Trial(
                begun + place,
                "search",
                self._seed("search", begun + place),
                f"trial {begun + place + 1}",
                self.config.space.policy(choices),
                choices,
            )
            for place, choices in enumerate(self.searcher.ask(count))
        ]

    def _finalists(self) -> list[Trial]:
        """The best proposals, all of these joined, as in the paper, and what needs no search."""
        if self.of_kind("finalist"):
            return []
        found: dict[str, Policy | None] = {}
        for trial, _ in sorted(self.of_kind("search"), key=lambda one: -one[1]):
            if trial.policy not in found.values() and len(found) < FINALISTS:
                found[trial.candidate] = trial.policy
        if len(found) > 1:
            found[JOINED] = joined([one for one in found.values() if one is not None])
        found |= dict.fromkeys(self.config.fixed)
        return self._scored("finalist", found, FINALIST_SEEDS)

    def _confirmations(self) -> list[Trial]:
        if self.of_kind("confirmation"):
            return []
        candidate, policy, fixed, _ = self._winners()
        met: dict[str, Policy | None] = {candidate: policy, NONE: None}
        met |= dict(zip(self._in_use(), self.config.rivals.values(), strict=True))
        if fixed:
            met[fixed] = None
        return self._scored("confirmation", met, CONFIRMATION_SEEDS)

    def _in_use(self) -> list[str]:
        """The rivals' names. A kept policy may have any, also the candidate's or a fixed augmentation's."""
        taken = {self._winners()[0], *AUGMENTATIONS}
        rivals = self.config.rivals.items()
        return [f"{name}, in use" if policy and name in taken else name for name, policy in rivals]

    def _winners(self) -> tuple[str, Policy, str, bool]:
        """Of the finalists the best one found, the best fixed one, or "", and whether that is better."""
        means = {name: float(np.mean(of_it)) for name, of_it in self._rewards("finalist").items()}
        found = {trial.candidate: trial.policy for trial, _ in self.of_kind("finalist") if trial.policy}
        if not found:
            raise ValueError("No proposal was judged: give the search more time.")
        best = max(found, key=means.__getitem__)
        fixed = max(self.config.fixed, key=means.__getitem__, default="")
        return best, found[best], fixed, bool(fixed) and means[fixed] > means[best]

    def _rewards(self, kind: Kind) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for trial, reward in self.of_kind(kind):
            found.setdefault(trial.candidate, []).append(reward)
        return found

    def _scored(self, kind: Kind, policies: dict[str, Policy | None], seeds: int) -> list[Trial]:
        every = [(name, policy, seed) for seed in range(seeds) for name, policy in policies.items()]
        # A seed stands for other halves of the labels too, which all candidates share.
        return [
            Trial(len(self.judged) + place, kind, self._seed(kind, seed), name, policy)
            for place, (name, policy, seed) in enumerate(every)
        ]

    def _seed(self, kind: Kind, number: int) -> int:
        digest = hashlib.sha256(f"{self.config.seed}/{kind}/{number}".encode()).digest()
        return int.from_bytes(digest[:4]) >> 1
