"""A policy: sub-policies, of which each picture gets one at random (Cubuk et al. 2018, section 3)."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from learning.core.augmentation.base import OPERATIONS
from learning.core.augmentation.grouped import Choice, apply_groups
from learning.core.lazy import lazy
from learning.core.shown import shown

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch", often=False)

# uint8 (B, C, S, S), drawn from the generator only -> uint8 (B, C, S, S)
Augment = Callable[["torch.Tensor", "torch.Generator"], "torch.Tensor"]

MOST_SUB_POLICIES, MOST_LENGTH = 200, 10


@dataclass(frozen=True)
class Applied:
    """An operation with the share of pictures that get it, and how much of it, both 0..1."""

    operation: str
    probability: float
    magnitude: float

    def __post_init__(self) -> None:
        if self.operation not in OPERATIONS:
            known = ", ".join(OPERATIONS)
            raise ValueError(f"There is no operation {shown(self.operation)}; there are: {known}.")
        for name, value in (("probability", self.probability), ("magnitude", self.magnitude)):
            if not 0 <= value <= 1:
                raise ValueError(f"The {name} of {self.operation} must lie between 0 and 1, not be {value}.")

    @property
    def words(self) -> str:
        one = OPERATIONS[self.operation]
        strength = f" at {self.magnitude:.0%}" if one.span else ""
        return f"{one.title}{strength} for {self.probability:.0%}"


@dataclass(frozen=True)
class Policy:
    """Calling it augments a batch. A picture's own sub-policy, and each sign, is drawn anew every time."""

    sub_policies: tuple[tuple[Applied, ...], ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.sub_policies) <= MOST_SUB_POLICIES:
            count = len(self.sub_policies)
            raise ValueError(f"A policy has 1 to {MOST_SUB_POLICIES} sub-policies; this one has {count}.")
        for number, sub_policy in enumerate(self.sub_policies, start=1):
            if not 1 <= len(sub_policy) <= MOST_LENGTH:
                raise ValueError(
                    f"A sub-policy has 1 to {MOST_LENGTH} operations; number {number} has {len(sub_policy)}."
                )

    def __call__(self, images: "torch.Tensor", generator: "torch.Generator") -> "torch.Tensor":
        count = len(images)
        mine = torch.randint(len(self.sub_policies), (count,), generator=generator)
        for place in range(max(map(len, self.sub_policies))):
            happens, sign = torch.rand(2, count, generator=generator)
            images = apply_groups(images, self._groups(place, mine, happens, sign), generator)
        return images

    def _groups(
        self, place: int, mine: "torch.Tensor", happens: "torch.Tensor", sign: "torch.Tensor"
    ) -> Iterator[tuple[Choice, "torch.Tensor"]]:
        """What this place of each sub-policy does, and to which pictures."""
        for number, sub_policy in enumerate(self.sub_policies):
            if place >= len(sub_policy):
                continue
            applied = sub_policy[place]
            one = OPERATIONS[applied.operation]
            value = one.value(applied.magnitude)
            here = (mine == number) & (happens < applied.probability)
            if one.signed:
                negative = here & (sign < 0.5)
                yield (one.name, -value), negative.nonzero()[:, 0]
                here &= sign >= 0.5
            yield (one.name, value), here.nonzero()[:, 0]

    def as_json(self) -> dict[str, Any]:
        return {
            "sub_policies": [
                [
                    {"operation": one.operation, "probability": one.probability, "magnitude": one.magnitude}
                    for one in sub_policy
                ]
                for sub_policy in self.sub_policies
            ]
        }

    @property
    def digest(self) -> str:
        """SHA-256 of its JSON."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()

    @property
    def words(self) -> list[str]:
        """A line a sub-policy."""
        return [", then ".join(one.words for one in sub_policy) for sub_policy in self.sub_policies]


def policy_from(data: object) -> Policy:
    """The policy that `as_json` wrote. Raises ValueError, with a sentence that names the place."""
    if not isinstance(data, Mapping) or not isinstance(data.get("sub_policies"), list):
        raise ValueError('A policy is written as {"sub_policies": [[{"operation": ...}, ...], ...]}.')
    return Policy(tuple(_sub_policy(one, number) for number, one in enumerate(data["sub_policies"], start=1)))


def joined(policies: Sequence[Policy]) -> Policy:
    """One with all their sub-policies, as the paper joins the best five."""
    return Policy(tuple(one for policy in policies for one in policy.sub_policies))


def _sub_policy(data: object, number: int) -> tuple[Applied, ...]:
    if not isinstance(data, list):
        raise ValueError(f"Sub-policy {number} must be a list of operations.")
    return tuple(_applied(one, number) for one in data)


def _applied(data: object, number: int) -> Applied:
    fields = {"operation": str, "probability": int | float, "magnitude": int | float}
    if not isinstance(data, Mapping) or set(data) != set(fields):
        raise ValueError(f"An operation of sub-policy {number} must have just {', '.join(fields)}.")
    for name, kind in fields.items():
        if not isinstance(data[name], kind) or isinstance(data[name], bool):
            raise ValueError(
                f"The {name} of an operation of sub-policy {number} cannot be {shown(data[name])}."
            )
    try:
        return Applied(data["operation"], float(data["probability"]), float(data["magnitude"]))
    except OverflowError:
        raise ValueError(f"Sub-policy {number}: probability and magnitude lie between 0 and 1.") from None
    except ValueError as error:
        raise ValueError(f"Sub-policy {number}: {error}") from None
