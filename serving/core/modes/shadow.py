"""Shadow: the champion answers all, the challenger answers the same for nobody but the record.

Both models are judged by the same labels, so it takes about a quarter of an A/B test's. The test counts
labels by people that were drawn evenly (the audit stream): a query strategy prefers what one of the models is
unsure of, and would favour one side of the pairs that tell. So would clients, who saw the champion's answer
only: corrected mistakes without confirmed answers are pairs that only the challenger can win. Their reports
are counted, and decide nothing. All labels by people, weighted by their inclusion probability, are shown.
"""

import math
from dataclasses import dataclass, field

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
)
from serving.core.modes.failures import RULES, Failures, failing, levels, max_errors
from serving.core.modes.figures import evidence_figure, odds, paired_difference, share, weighted_share
from serving.core.records import Settings, setting
from serving.core.statistics.agreement import jensen_shannon, kappa
from serving.core.statistics.sample_size import labels_by_pairs
from serving.core.statistics.sign_test import log_sign_evidence
from serving.core.statistics.weighting import WeightedSums


@dataclass(frozen=True)
class Config(Settings):
    share: float = setting(1.0, "Share of traffic", "that the challenger sees too", low=0.001, high=1)
    alpha: float = setting(
        0.05, "Chance of a wrong decision", "however often the figures are looked at", low=0.0001, high=0.2
    )
    margin: float = setting(
        0.0,
        "May be worse by",
        "0: it must be proven better. Above: it is enough to be proven no more than this much worse",
        low=0,
        high=0.2,
    )
    min_labels: int = setting(
        100,
        "Least labels",
        "by people, drawn evenly, before anything is decided; clients' feedback is left out",
        low=20,
        high=1e6,
    )
    max_labels: int = setting(5000, "Most labels", "without a decision, a person is asked", low=20, high=1e7)
    max_errors: float = max_errors()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_labels < self.min_labels:
            raise ValueError(f"Most labels must be at least the {self.min_labels} least labels.")


@dataclass(frozen=True)
class Evidence:
    """Of the predictions that both models made. The first four count labels of the audit stream."""

    both_right: int = 0
    only_new: int = 0
    only_old: int = 0
    both_wrong: int = 0
    champion_labels: WeightedSums = field(default_factory=WeightedSums)  # all labels, y = 1 where it is right
    challenger_labels: WeightedSums = field(default_factory=WeightedSums)
    pairs: int = 0
    agreements: int = 0
    champion_classes: dict[str, int] = field(default_factory=dict)  # how often each best guess, of the pairs
    challenger_classes: dict[str, int] = field(default_factory=dict)
    errors: int = 0  # images the challenger failed on at first; not among the pairs, and counted like them
    dropped: int = 0  # never seen by it, because it was too slow
    reported: int = 0  # pairs whose client told the true label; 0 in decisions from before it was left out
    champion_p50_ms: float | None = None
    champion_p99_ms: float | None = None
    challenger_p50_ms: float | None = None
    challenger_p99_ms: float | None = None
    load_failed: bool = False
    rules: int = 1  # see `failures.RULES`


def split(config: Config, state: State, context: str) -> Split:
    return Split({CHAMPION: 1.0}, mirrored=config.share)


def labels_needed(config: Config, outlook: Outlook) -> int:
    return max(config.min_labels, labels_by_pairs(*outlook.only_one, levels(config.alpha, RULES).compared))


@mode(
    "shadow",
    title="Shadow",
    summary="clients never see the challenger, and each label by people judges both; best for a first look.",
    config=Config,
    evidence=Evidence,
    split=split,
    labels_needed=labels_needed,
)
def decide(config: Config, evidence: Evidence) -> Verdict:
    new, old = evidence.only_new, evidence.only_old
    labels = new + old + evidence.both_right + evidence.both_wrong
    log_e = float(log_sign_evidence(new, old))
    level = levels(config.alpha, evidence.rules)
    difference, half = paired_difference(new, old, labels, level.compared, config.max_labels)
    figures = _figures(config, evidence, labels, log_e, difference, half)

    def say(action: Action, rule: str, reason: str) -> Verdict:
        return Verdict(action, rule, reason, figures)

    failures = Failures(evidence.pairs, evidence.errors, evidence.load_failed)
    failed = failing(failures, config.max_errors, level.errors)
    if failed:
        return say("roll_back", *failed)
    if labels < config.min_labels:
        return say(
            "hold",
            "few-labels",
            f"Waits for labels: {labels} of at least {config.min_labels} evenly drawn ones are there.",
        )
    found = f"{new} labels only the challenger has right, {old} only the champion"
    decisive = log_e >= -math.log(level.compared)
    if decisive and new < old:
        return say("roll_back", "worse", f"The challenger is worse: {found}.")
    if config.margin == 0 and decisive:
        return say("promote", "better", f"The challenger is better: {found}.")
    if config.margin > 0 and difference - half > -config.margin:
        return say(
            "promote",
            "no-worse",
            f"The challenger is at most {max(0.0, half - difference):.1%} worse, "
            f"and {config.margin:.1%} are allowed.",
        )
    if labels >= config.max_labels:
        return say(
            "hold",
            "undecided",
            f"After {labels} labels neither is proven better ({found}): promote or roll back yourself.",
        )
    return say(
        "hold",
        "watching",
        f"Waits for more labels: {found}, {odds(log_e, level.compared)}.",
    )


def _figures(
    config: Config, evidence: Evidence, labels: int, log_e: float, difference: float, half: float
) -> tuple[Figure, ...]:
    right = {
        CHAMPION: evidence.both_right + evidence.only_old,
        CHALLENGER: evidence.both_right + evidence.only_new,
    }
    level = 1 - config.alpha
    found = [share("accuracy", "Right", arm, count, labels, level) for arm, count in right.items()]
    found.append(
        figure(
            "accuracy",
            "Right",
            "difference",
            difference if labels else None,
            low=difference - half if labels else None,
            high=difference + half if labels else None,
            n=labels,
        )
    )
    found.append(
        evidence_figure(
            "Evidence that one is better",
            log_e,
            levels(config.alpha, evidence.rules).compared,
            evidence.only_new + evidence.only_old,
        )
    )
    found.append(weighted_share("weighted", "Right, all labels", CHAMPION, evidence.champion_labels))
    found.append(weighted_share("weighted", "Right, all labels", CHALLENGER, evidence.challenger_labels))
    pairs = evidence.pairs
    found.append(share("agreement", "Same answer", "", evidence.agreements, pairs, level))
    classes = evidence.champion_classes, evidence.challenger_classes
    found.append(figure("kappa", "Cohen's kappa", "", kappa(evidence.agreements, *classes), n=pairs, unit=""))
    found.append(
        figure(
            "divergence",
            "Jensen-Shannon divergence of answers",
            "",
            jensen_shannon(*classes),
            n=pairs,
            unit="bits",
        )
    )
    found.append(share("errors", "Errors", CHALLENGER, evidence.errors, pairs + evidence.errors, level))
    found.append(figure("dropped", "Not seen by the challenger", "", float(evidence.dropped), unit="count"))
    if evidence.reported:
        told = float(evidence.reported)
        found.append(figure("reported", "Reported by clients, not counted", "", told, n=pairs, unit="count"))
    for name, title, old, new in (
        ("p50", "Median latency", evidence.champion_p50_ms, evidence.challenger_p50_ms),
        ("p99", "99% faster than", evidence.champion_p99_ms, evidence.challenger_p99_ms),
    ):
        found.append(figure(name, title, CHAMPION, old, n=pairs, unit="ms"))
        found.append(figure(name, title, CHALLENGER, new, n=pairs, unit="ms"))
    return tuple(found)
