"""What a person chooses of a search; defaults work."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from learning.core import registry
from learning.core.augmentation import AUGMENTATIONS, Policy, policy_from
from learning.core.policy_search.base import SEARCHES
from learning.core.policy_search.plan import ChildPlan
from learning.core.policy_search.space import SearchSpace, space_from
from learning.core.shown import shown

TRIALS = (1, 100_000)
TOGETHER = (1, 256)
FIXED = tuple(name for name in AUGMENTATIONS if name != "none")


@dataclass(frozen=True)
class SearchConfig:
    """Raises ValueError, with a sentence, for what cannot be."""

    search: str = "ppo"
    space: SearchSpace = field(default_factory=SearchSpace)
    trials: int = 300
    together: int = 10  # proposals before the search learns from them: so many can be judged at once
    rate: float = 0.005  # of the controller
    child: ChildPlan = field(default_factory=ChildPlan)
    fraction: float = 1.0  # of the labels
    seed: int = 0
    # Augmentations tried beside the best proposals; the best of them is used if what was found is not better.
    fixed: tuple[str, ...] = FIXED
    # What is in use: the found policy must beat it, too, to be used. A fixed augmentation, or a policy.
    rivals: Mapping[str, Policy | None] = field(default_factory=lambda: {"views": None})

    def __post_init__(self) -> None:
        registry.find(SEARCHES, self.search, "search")
        _whole("trials", self.trials, TRIALS)
        _whole("trials at once", self.together, TOGETHER)
        if not isinstance(self.seed, int) or isinstance(self.seed, bool) or not 0 <= self.seed < 2**31:
            raise ValueError(
                f"The seed must be a whole number from 0 to 2,147,483,647, not {shown(self.seed)}."
            )
        if not (_number(self.rate) and 0 < self.rate <= 1):
            raise ValueError(
                f"The controller's learning rate must be above 0 and at most 1, not {shown(self.rate)}."
            )
        if not (_number(self.fraction) and 0 < self.fraction <= 1):
            raise ValueError(
                "The fraction of the labels to use must be above 0 and at most 1, which is 100%, "
                f"not {shown(self.fraction)}."
            )
        object.__setattr__(self, "fixed", _names(self.fixed))
        for name, policy in self.rivals.items():
            if policy is None:
                registry.find(AUGMENTATIONS, name, "augmentation")

    def as_json(self) -> dict[str, Any]:
        made = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            **made,
            "rivals": {name: one and one.as_json() for name, one in self.rivals.items()},
            "fixed": list(self.fixed),
            "space": self.space.as_json(),
            "child": {one.name: getattr(self.child, one.name) for one in fields(ChildPlan)},
        }


def config_from(data: Mapping[str, Any]) -> SearchConfig:
    """What `as_json` wrote, or a part of it. Raises ValueError, with a sentence."""
    given = _known("search configuration", data, SearchConfig)
    if "space" in given:
        given["space"] = space_from(_known("search space", given["space"], SearchSpace))
    if "child" in given:
        given["child"] = ChildPlan(**_known("child", given["child"], ChildPlan))
    if "rivals" in given:
        given["rivals"] = {name: one and policy_from(one) for name, one in given["rivals"].items()}
    return SearchConfig(**given)


def _known(what: str, data: object, kind: type[SearchConfig | SearchSpace | ChildPlan]) -> dict[str, Any]:
    """A copy, in which nothing is unknown."""
    if not isinstance(data, Mapping):
        raise ValueError(f"The {what} must be an object of settings, not {shown(data)}.")
    names = [one.name for one in fields(kind)]
    if unknown := set(data) - set(names):
        chosen = ", ".join(name for name in names if name != "rivals")  # those are given, not chosen
        raise ValueError(f"A {what} has no {shown(min(unknown))}; it has {chosen}.")
    return dict(data)


def _names(given: object) -> tuple[str, ...]:
    if not isinstance(given, list | tuple) or not all(isinstance(name, str) for name in given):
        raise ValueError(f"The fixed augmentations must be a list of names, not {shown(given)}.")
    for name in given:
        registry.find(AUGMENTATIONS, name, "augmentation")
    # None is always met.
    return tuple(name for name in dict.fromkeys(given) if name != "none")


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(what: str, value: object, limits: tuple[int, int]) -> None:
    low, high = limits
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(
            f"The number of {what} must be a whole number from {low} to {high:,}, not {shown(value)}."
        )
