"""Interleaving: one list of suggestions, drafted from both models' lists, and the choice is the vote.

Each vote compares both models for the same person and image, so it takes a fraction of an A/B test's. What
both lists begin with alike earns nobody a vote; where the challenger failed, every pick is the champion's.
The seed and the teams of each list are logged. Lists are shown to clients, and to annotators with images that
are drawn evenly from the pool: the label they give is their choice.
"""

import math
from dataclasses import dataclass, field

from learning.core.confidence_sequence import anytime_interval
from serving.core.modes.base import (
    CHALLENGER,
    CHAMPION,
    Action,
    Figure,
    Outlook,
    Split,
    State,
    Verdict,
    figure,
    mode,
    needs_words,
)
from serving.core.modes.failures import RULES, Failures, failing, levels, max_errors
from serving.core.modes.figures import errors_figure, evidence_figure, odds
from serving.core.records import Settings, setting
from serving.core.statistics.sample_size import labels_by_pairs
from serving.core.statistics.sign_test import log_sign_evidence


@dataclass(frozen=True)
class Config(Settings):
    share: float = setting(1.0, "Share of requests", "that get a merged list", low=0.001, high=1)
    length: int = setting(5, "Labels in the list", "drafted from both models in turn", low=2, high=100)
    annotators: bool = setting(
        True, "Ask annotators too", "some images of the pool are labelled beside a merged list"
    )
    alpha: float = setting(
        0.05, "Chance of a wrong decision", "however often it is looked at", low=0.0001, high=0.2
    )
    min_votes: int = setting(
        20, "Least votes", "for one or the other, before anything is decided", low=5, high=10**7
    )
    max_choices: int = setting(
        20_000, "Most choices", "without a decision, a person is asked", low=20, high=10**9
    )
    max_errors: float = max_errors()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_choices < self.min_votes:
            raise ValueError(f"Most choices must be at least the {self.min_votes} least votes.")


@dataclass(frozen=True)
class Evidence:
    wins_champion: int = 0
    wins_challenger: int = 0
    ties: int = 0  # choices for neither: what both lists begin with, or nothing of the list
    shared: int = 0  # of the ties, those of what both lists begin with
    by_annotators: int = 0  # of all choices
    failures: Failures = field(default_factory=Failures)
    rules: int = 1  # see `failures.RULES`


def split(config: Config, state: State, context: str) -> Split:
    return Split({CHAMPION: 1.0}, merged=config.share)


def labels_needed(config: Config, outlook: Outlook) -> int:
    return max(config.min_votes, labels_by_pairs(*outlook.only_one, levels(config.alpha, RULES).compared))


def needs(config: Config, outlook: Outlook, labels: int) -> str:
    """A choice is a label."""
    return needs_words(config, outlook, labels, "choices")


@mode(
    "interleaving",
    title="Interleaving",
    summary="one list from both models, and choices are votes; best where clients choose from many lists.",
    config=Config,
    evidence=Evidence,
    split=split,
    labels_needed=labels_needed,
    needs=needs,
)
def decide(config: Config, evidence: Evidence) -> Verdict:
    new, old = evidence.wins_challenger, evidence.wins_champion
    votes, choices = new + old, new + old + evidence.ties
    log_e = float(log_sign_evidence(new, old))
    level = levels(config.alpha, evidence.rules)
    figures = _figures(config, evidence, log_e)
    found = f"{new} choices for the challenger, {old} for the champion, {evidence.ties} for neither"

    def say(action: Action, rule: str, reason: str) -> Verdict:
        return Verdict(action, rule, reason, figures)

    failed = failing(evidence.failures, config.max_errors, level.errors)
    if failed:
        return say("roll_back", *failed)
    if votes < config.min_votes:
        return say(
            "hold", "few-votes", f"Waits for choices: {votes} of at least {config.min_votes} votes are there."
        )
    if log_e >= -math.log(level.compared):
        if new > old:
            return say("promote", "better", f"The challenger is better: {found}.")
        return say("roll_back", "worse", f"The challenger is worse: {found}.")
    if choices >= config.max_choices:
        return say(
            "hold",
            "undecided",
            f"After {choices} choices neither is proven better ({found}): decide yourself.",
        )
    return say(
        "hold",
        "watching",
        f"Waits for more choices: {found}, {odds(log_e, level.compared)}.",
    )


def _figures(config: Config, evidence: Evidence, log_e: float) -> tuple[Figure, ...]:
    """Delta_AB = (wins + ties / 2) / all - 1/2 (Chapelle, Joachims, Radlinski and Yue 2012)."""
    new, old, ties = evidence.wins_challenger, evidence.wins_champion, evidence.ties
    choices = new + old + ties
    low, high = anytime_interval(new, new + old, 1 - config.alpha)
    level = levels(config.alpha, evidence.rules).compared
    told = (new + old) / choices if choices else 0.0  # of the choices, those that are votes
    delta = (new + ties / 2) / choices - 0.5 if choices else None
    return (
        figure(
            "delta",
            "Preferred",
            CHALLENGER,
            delta,
            low=told * (low - 0.5),
            high=told * (high - 0.5),
            n=float(choices),
        ),
        figure("wins", "Choices for it", CHAMPION, float(old), n=float(choices), unit="count"),
        figure("wins", "Choices for it", CHALLENGER, float(new), n=float(choices), unit="count"),
        figure("ties", "Choices for neither", "", float(ties), n=float(choices), unit="count"),
        evidence_figure("Evidence that one is better", log_e, level, new + old),
        *_of_annotators(evidence, choices),
        *errors_figure(evidence.failures, 1 - config.alpha),
    )


def _of_annotators(evidence: Evidence, choices: int) -> tuple[Figure, ...]:
    if not evidence.by_annotators:
        return ()
    made = float(evidence.by_annotators)
    return (figure("annotators", "Choices by annotators", "", made, n=float(choices), unit="count"),)
