"""A training method turns labelled embeddings into a head."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from learning.core import registry
from learning.core.methods.head import Head
from learning.core.weak.rule_votes import RuleVotes

T = TypeVar("T")
NO_LABEL = -1
FALLBACK = "transfer"
LACKING = {"unlabelled": "items without a label", "soft": "soft labels from rules", "weight": "weights"}


Tick = Callable[[str], None]


def unwatched(words: str) -> None:
    """Nobody wants to know how far a fit is, or to end it."""


@dataclass(frozen=True)
class TrainingData:
    """Raises ValueError, with one sentence, for data no method could learn from."""

    embeddings: NDArray[np.float32]  # (n, D)
    labels: NDArray[np.int64]  # (n,), 0..classes-1; NO_LABEL where only `soft` says something
    classes: int
    unlabelled: NDArray[np.float32] | None = None  # (U, D), the open pool
    soft: NDArray[np.float64] | None = None  # (n, K), probabilistic labels, rows sum to 1
    weight: NDArray[np.float64] | None = None  # (n,), >= 0, how much each item counts
    items: NDArray[np.int64] | None = None  # (n,), which item each is, the same for every question
    parts: tuple[int, ...] = ()  # D of each network whose features these are, side by side; () for one
    votes: RuleVotes | None = None  # what `soft` was reckoned from
    # Called between the steps of a fit, with what it is at, or "": it may raise, which ends the fit.
    tick: Tick = unwatched

    def __post_init__(self) -> None:
        n = len(self.embeddings)
        if self.embeddings.ndim != 2:
            raise ValueError(f"Embeddings must be a table (n, D), not of shape {self.embeddings.shape}.")
        if self.labels.shape != (n,):
            raise ValueError(f"There are {n} embeddings but {self.labels.size} labels.")
        if self.parts and sum(self.parts) != self.embeddings.shape[1]:
            raise ValueError(f"The parts {self.parts} are not the {self.embeddings.shape[1]} features.")
        _refuse_broken(self.embeddings, "embeddings")
        found = np.unique(self.labels)
        lowest = 0 if self.soft is None else NO_LABEL
        if len(found) and (found[0] < lowest or found[-1] >= self.classes):
            raise ValueError(
                f"Labels must lie in {lowest}..{self.classes - 1}; found {found[0]}..{found[-1]}."
            )
        if self.soft is not None:
            if self.soft.shape != (n, self.classes):
                raise ValueError(f"Soft labels must be a table ({n}, {self.classes}), not {self.soft.shape}.")
            if not (np.isfinite(self.soft).all() and (self.soft >= 0).all()) or not np.allclose(
                self.soft.sum(axis=1), 1, atol=1e-5
            ):
                raise ValueError("Soft labels must be probabilities: each row at least 0 and with sum 1.")
            found = np.union1d(found[found != NO_LABEL], self.soft[self.labels == NO_LABEL].argmax(axis=1))
        if len(found) < 2:
            raise ValueError(f"Training needs labels of at least two classes; there are {len(found)}.")
        if self.weight is not None and (
            self.weight.shape != (n,) or not np.isfinite(self.weight).all() or (self.weight < 0).any()
        ):
            raise ValueError(f"Weights must be {n} finite numbers of at least 0, one for each embedding.")
        if self.unlabelled is not None:
            if self.unlabelled.ndim != 2 or self.unlabelled.shape[1] != self.embeddings.shape[1]:
                raise ValueError(
                    f"Unlabelled embeddings must be a table (U, {self.embeddings.shape[1]}), "
                    f"not of shape {self.unlabelled.shape}."
                )
            _refuse_broken(self.unlabelled, "unlabelled embeddings")

    def has(self, field: str) -> bool:
        value = getattr(self, field)
        return value is not None and len(value) > 0

    def rows(self, rows: NDArray[np.int64]) -> "TrainingData":
        """The same pool, these rows of what is labelled; rules are not weighed by the labels of others."""
        labels = self.labels[rows]
        votes = None if self.votes is None else self.votes.rows(rows)
        return replace(
            self,
            embeddings=self.embeddings[rows],
            labels=labels,
            soft=_soft(self.soft, rows) if votes is None else votes.soft(labels),
            votes=votes,
            weight=None if self.weight is None else self.weight[rows],
            items=None if self.items is None else self.items[rows],
        )

    def by_people(self) -> "TrainingData":
        """Without the soft labels and the rows that have no other."""
        if self.soft is None:
            return self
        kept = np.flatnonzero(self.labels != NO_LABEL)
        return replace(
            self,
            embeddings=self.embeddings[kept],
            labels=self.labels[kept],
            soft=None,
            votes=None,
            weight=None if self.weight is None else self.weight[kept],
            items=None if self.items is None else self.items[kept],
        )


def _soft(soft: NDArray[np.float64] | None, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
    return None if soft is None else soft[rows]


def _refuse_broken(embeddings: NDArray[np.float32], name: str) -> None:
    if not np.isfinite(embeddings).all():
        broken = int((~np.isfinite(embeddings).all(axis=1)).sum())
        raise ValueError(f"{broken} {name} hold values that are not finite: embed these items again.")


def declared(value: T | None) -> T:
    """A field of the data that the method declared as needed."""
    if value is None:
        raise ValueError("A method used something of its data that it does not declare in `needs`.")
    return value


def positive(config: Mapping[str, Any], name: str, default: float) -> float:
    value = config.get(name, default)
    if not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError(f"The setting '{name}' must be a positive number, not {value!r}.")
    return float(value)


Fit = Callable[[TrainingData, Mapping[str, Any], np.random.Generator], Head]
Together = Callable[[Sequence[TrainingData], Mapping[str, Any], np.random.Generator], list[Head]]


@dataclass(frozen=True)
class Method:
    name: str
    title: str
    summary: str  # one sentence for the page that offers it: when it helps
    needs: frozenset[str]  # fields of TrainingData that must be there
    member: str  # the method that fits the members of its committee
    effort: float  # what one fit costs, in fits of transfer; measured with 1,300 open items
    fit: Fit
    unguarded: float  # the same with config {"guard": False}, for who compares it with others himself
    together: Together | None = None  # fits several questions at once: a method for projects that ask them
    welcomes: frozenset[str] = frozenset()  # fields that it uses where they are there
    open_seconds: float = 0.0  # what each open item adds to a fit, in seconds
    open_copies: float = 0.0  # how often a fit holds the features of an open item besides the data

    @property
    def uses(self) -> frozenset[str]:
        """All that it has a use for."""
        return self.needs | self.welcomes

    @property
    def uses_rules(self) -> bool:
        """Whether it sees rows that have no person's label."""
        return "soft" in self.uses


METHODS: dict[str, Method] = {}


def method(
    name: str,
    *,
    title: str,
    summary: str,
    needs: set[str] | None = None,
    welcomes: set[str] | None = None,
    member: str | None = None,
    effort: float = 1.0,
    unguarded: float | None = None,
    together: Together | None = None,
    open_seconds: float = 0.0,
    open_copies: float = 0.0,
) -> Callable[[Fit], Fit]:
    """Register a function as a method.

    It may rely on what `needs` names being there; where it is not, FALLBACK fits and the head's note says so.
    Only a method that needs or `welcomes` `soft` sees rows without a person's label. `member`, itself if not
    given, is a quicker method for committees, which fit several heads. By `unguarded`, `effort` if not given,
    `open_seconds` and `open_copies` fits are planned (`budget.py`).
    """
    wanted, welcome = frozenset(needs or ()), frozenset(welcomes or ())

    def register(fit: Fit) -> Fit:
        def checked(data: TrainingData, config: Mapping[str, Any], rng: np.random.Generator) -> Head:
            data.tick("")
            missing = sorted(field for field in wanted if not data.has(field))
            if missing:
                used = METHODS[FALLBACK]
                lacking = " and ".join(LACKING[field] for field in missing)
                note = f"{used.title} instead of {title}, which needs {lacking}; there are none."
                return replace(used.fit(data, config, rng), note=note)
            return fit(data if entry.uses_rules else data.by_people(), config, rng)

        alone = effort if unguarded is None else unguarded
        entry = Method(
            name,
            title,
            summary,
            wanted,
            member or name,
            effort,
            checked,
            alone,
            together,
            welcome,
            open_seconds,
            open_copies,
        )
        registry.add(METHODS, entry, "method")
        return fit

    return register


def fit_questions(
    name: str, questions: Sequence[TrainingData], config: Mapping[str, Any], seed: int
) -> list[Head]:
    """A head for each question: learned together where the method can, else each from its own answers."""
    chosen = registry.find(METHODS, name, "method")
    if chosen.together is not None and len(questions) > 1:
        people = [data.by_people() for data in questions]
        return chosen.together(people, config, np.random.default_rng(seed))
    return [chosen.fit(data, config, np.random.default_rng(seed)) for data in questions]


def fit_committee(
    name: str | Method,
    data: TrainingData,
    config: Mapping[str, Any],
    rng: np.random.Generator,
    members: int = 5,
) -> list[Head]:
    """Query by bagging (Abe and Mamitsuka 1998): each member learns from a bootstrap sample.

    The samples are drawn class by class, so that no member loses one. Only people's labels are sampled.
    """
    named = name if isinstance(name, Method) else registry.find(METHODS, name, "method")
    chosen = registry.find(METHODS, named.member, "method")
    people = data.by_people()
    heads = []
    for _ in range(members):
        rows = np.concatenate(
            [rng.choice(found, len(found)) for found in map(np.flatnonzero, _by_class(people)) if len(found)]
        )
        heads.append(chosen.fit(people.rows(rows), config, rng))
    return heads


def _by_class(data: TrainingData) -> list[NDArray[np.bool_]]:
    return [data.labels == label for label in range(data.classes)]
