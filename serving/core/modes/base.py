"""A mode tries a challenger beside the champion: how traffic is split, and what the evidence says to do.

Everything that a mode is told (Config), knows (State, Evidence) and says (Verdict) is a frozen dataclass that
survives JSON. `decide` is a pure function, so the log of a rollout can be replayed: `replay` of the stored
config and evidence gives exactly the stored verdict.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from learning.core import registry
from serving.core import assignment
from serving.core.records import Setting, Settings, from_json, settings_of, to_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

CHAMPION, CHALLENGER = "champion", "challenger"
DIGITS = 6  # of figures that are stored: fewer than processors and libraries agree on

Action = Literal["hold", "advance", "reweight", "promote", "roll_back"]


@dataclass(frozen=True)
class State:
    """What decisions have changed so far. A new rollout begins with `State()`; a new state is a new phase."""

    step: int = 0  # of a canary
    # A bandit's shares by context and arm; the context "" is all traffic. Empty: not changed yet.
    weights: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Split:
    """How requests go now."""

    weights: dict[str, float]  # the share of requests that each arm answers; sum 1
    mirrored: float = 0.0  # the share that the challenger sees too, after the champion's answer has gone out
    merged: float = 0.0  # the share for which both are asked, and the client gets one merged list

    def arm(self, n: float) -> str:
        """Who answers the key with this bucket; `weights` holds the propensity."""
        return assignment.arm_at(n, assignment.ranges(self.weights)) or CHAMPION

    @classmethod
    def between(cls, challenger: float) -> "Split":
        return cls({CHALLENGER: challenger, CHAMPION: 1 - challenger})


@dataclass(frozen=True)
class Figure:
    """One line of the page's table, and one point of its plot."""

    name: str  # the same over time: what a plot's line is made of, together with the arm
    title: str
    arm: str  # "champion", "challenger", "difference", or "" for a statistic of the whole
    value: float | None  # None: nothing measured it yet
    low: float | None = None
    high: float | None = None
    limit: float | None = None  # a decision falls when `value` passes it
    n: float = 0.0  # labels, votes or requests it rests on
    unit: str = "share"  # or "log10", "ms", "points", "count"


@dataclass(frozen=True)
class Outlook:
    """What somebody expects before a rollout begins.

    Raises ValueError, with one sentence, for what cannot be.
    """

    accuracy: float = 0.9  # of the champion
    difference: float = 0.03  # how much more the challenger has right
    differing: float = 0.1  # of the items: exactly one of the two is right

    def __post_init__(self) -> None:
        if not (0 <= self.accuracy <= 1 and 0 <= self.accuracy + self.difference <= 1 and self.difference):
            raise ValueError(
                f"An accuracy of {self.accuracy:.1%} cannot change by {self.difference:+.1%}: "
                "give a change, and one that stays within 0 to 100%."
            )
        if not abs(self.difference) <= self.differing <= 1:
            raise ValueError(
                f"Models that differ by {abs(self.difference):.1%} need at least as many images that exactly "
                f"one has right, not {self.differing:.1%}."
            )

    @property
    def only_one(self) -> tuple[float, float]:
        """The shares that only the challenger, and only the champion, has right."""
        return (self.differing + self.difference) / 2, (self.differing - self.difference) / 2


@dataclass(frozen=True)
class Verdict:
    action: Action
    rule: str
    reason: str  # one sentence for the page; of a hold, what it waits for
    figures: tuple[Figure, ...] = ()
    state: State | None = None  # of "advance" and "reweight": what comes next


ConfigT = TypeVar("ConfigT", bound=Settings)
EvidenceT = TypeVar("EvidenceT", bound="DataclassInstance")
# The context is the champion's best guess, where a mode splits by it; else it is ignored.
SplitOf = Callable[[ConfigT, State, str], Split]
Decide = Callable[[ConfigT, EvidenceT], Verdict]
LabelsNeeded = Callable[[ConfigT, Outlook], int]
NeedsWords = Callable[[ConfigT, Outlook, int], str]


def needs_words(config: Settings, outlook: Outlook, labels: int, called: str = "labels") -> str:
    """What so many labels are enough for: one sentence."""
    better = outlook.accuracy + outlook.difference
    return (
        f"About {labels:,} {called} are enough to see that a version has {better:.1%} right "
        f"where the champion has {outlook.accuracy:.1%}."
    )


@dataclass(frozen=True)
class Mode(Generic[ConfigT, EvidenceT]):
    name: str
    title: str
    summary: str  # one sentence for the page that offers it: when it helps
    config: type[ConfigT]
    evidence: type[EvidenceT]
    split_of: SplitOf[ConfigT]
    decide: Decide[ConfigT, EvidenceT]
    labels_needed: LabelsNeeded[ConfigT]  # about how many, of both arms, until it is decided in 4 of 5 cases
    needs_words: NeedsWords[ConfigT]

    @property
    def settings(self) -> list[Setting]:
        return settings_of(self.config)

    def split(self, config: ConfigT, state: State | None = None, context: str = "") -> Split:
        return self.split_of(config, state or State(), context)

    def config_from(self, data: object) -> ConfigT:
        """Raises ValueError, with one sentence, for a config that makes no sense."""
        return from_json(self.config, data)

    def replay(self, config: object, evidence: object) -> dict[str, Any]:
        """The verdict on stored JSON, as JSON."""
        return to_json(self.decide(self.config_from(config), from_json(self.evidence, evidence)))


MODES: dict[str, Mode[Any, Any]] = {}


def mode_named(name: str) -> Mode[Any, Any]:
    """Raises ValueError, with one sentence, when there is none."""
    return registry.find(MODES, name, "mode")


def mode(
    name: str,
    *,
    title: str,
    summary: str,
    config: type[ConfigT],
    evidence: type[EvidenceT],
    split: SplitOf[ConfigT],
    labels_needed: LabelsNeeded[ConfigT],
    needs: NeedsWords[ConfigT] = needs_words,
) -> Callable[[Decide[ConfigT, EvidenceT]], Decide[ConfigT, EvidenceT]]:
    """Register a `decide` function as a mode. It must be pure, and know nothing but its two arguments."""

    def register(decide: Decide[ConfigT, EvidenceT]) -> Decide[ConfigT, EvidenceT]:
        made = Mode(name, title, summary, config, evidence, split, decide, labels_needed, needs)
        registry.add(MODES, made, "mode")
        return decide

    return register


def rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def figure(name: str, title: str, arm: str, value: float | None, **rest: Any) -> Figure:
    """A figure with its numbers rounded, as they are stored."""
    if arm and rest.get("unit", "share") == "share":
        # No share lies outside 0 to 1, however wide an interval by the normal law is.
        least = -1.0 if arm == "difference" else 0.0
        rest |= {end: min(1.0, max(least, rest[end])) for end in ("low", "high") if rest.get(end) is not None}
    numbers: dict[str, Any] = {
        key: rounded(one) if isinstance(one, float) else one for key, one in rest.items()
    }
    return Figure(name, title, arm, None if value is None else rounded(value), **numbers)


def later(weights: Mapping[str, float]) -> dict[str, float]:
    """Shares rounded to whole buckets, sum 1, in the order of names."""
    whole = {arm: round(weights[arm] * assignment.BUCKETS) for arm in sorted(weights)}
    largest = max(whole, key=lambda arm: whole[arm])
    whole[largest] += assignment.BUCKETS - sum(whole.values())
    return {arm: count / assignment.BUCKETS for arm, count in whole.items()}
