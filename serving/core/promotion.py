"""When a new version becomes the champion by itself: a pure function of what is known of the two versions.

The evidence of a decision is stored with it; `verdict` on the stored evidence gives the stored action again.
"""

from dataclasses import asdict, dataclass, replace
from typing import Literal

Action = Literal["promote", "hold"]
ON_THE_HOLDOUT = "on the hold-out"


@dataclass(frozen=True)
class Evidence:
    """What is measured of one version. The figures are None where nothing measured it."""

    version: int
    accuracy: float | None
    low: float | None
    high: float | None
    holdout_labels: int
    basis: str = ON_THE_HOLDOUT  # or how else the figures came about
    # Of a champion: a lower bound that one before it had, and which that was, where it was higher.
    bar: float | None = None
    bar_version: int | None = None

    @property
    def least(self) -> tuple[float, str] | None:
        """What the next one has to reach, and what that is; None where nothing measured it."""
        if self.accuracy is None or self.low is None:
            return None
        if self.bar is not None and self.bar > self.low:
            return self.bar, f"the lower bound of version {self.bar_version}, the best so far"
        return self.low, f"the lower bound of version {self.version} ({self.accuracy:.1%})"


@dataclass(frozen=True)
class Verdict:
    action: Action
    rule: str
    reason: str


def verdict(champion: Evidence | None, candidate: Evidence) -> Verdict:
    """Promote the candidate unless it is measured to be worse.

    Worse means: its accuracy lies below the lower bound of the champion's interval, or of the best one before
    it. The candidate has learned from more labels, so a tie within the interval goes to it.
    """
    if champion is None:
        return Verdict("promote", "first-model", f"Version {candidate.version} is the first model.")
    if candidate.accuracy is None:
        if champion.accuracy is None:
            return Verdict(
                "promote",
                "newest-unmeasured",
                f"Nothing measures version {champion.version} or {candidate.version} yet: "
                "the newer one answers.",
            )
        return Verdict(
            "hold",
            "unmeasured",
            f"Version {candidate.version} has not been measured; version {champion.version} has.",
        )
    if champion.least is None:
        return Verdict(
            "promote",
            "first-measured",
            f"Version {candidate.version} is measured ({candidate.accuracy:.1%} {candidate.basis}); "
            f"version {champion.version} was not.",
        )
    least, told = champion.least
    if candidate.accuracy >= least:
        return Verdict(
            "promote",
            "no-worse",
            f"Accuracy {candidate.accuracy:.1%} {candidate.basis} is not below {least:.1%}, {told}.",
        )
    return Verdict(
        "hold",
        "worse",
        f"Accuracy {candidate.accuracy:.1%} {candidate.basis} is below {least:.1%}, {told}.",
    )


def with_bar(champion: Evidence, before: Evidence) -> Evidence:
    """The champion with what the one before it set, or left, as a bar: without it each could be a little
    worse than the last, and all together as bad as may be.
    """
    known = [(one, of) for one, of in ((before.bar, before.bar_version), (before.low, before.version)) if one]
    if not known:
        return champion
    bar, version = max(known, key=lambda pair: pair[0])
    return replace(champion, bar=bar, bar_version=version)


def evidence_json(champion: Evidence | None, candidate: Evidence) -> dict[str, object]:
    return {"champion": asdict(champion) if champion else None, "candidate": asdict(candidate)}
