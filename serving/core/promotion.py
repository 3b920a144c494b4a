"""When a new version becomes the champion by itself: a pure function of what is known of the two versions.

The evidence of a decision is stored with it; `verdict` on the stored evidence gives the stored action again.
"""

from dataclasses import asdict, dataclass
from typing import Literal

Action = Literal["promote", "hold"]


@dataclass(frozen=True)
class Evidence:
    """What is measured of one version. The figures are None where nothing measured it."""

    version: int
    accuracy: float | None
    low: float | None
    high: float | None
    holdout_labels: int
    basis: str = "on the hold-out"  # or how else the figures came about


@dataclass(frozen=True)
class Verdict:
    action: Action
    rule: str
    reason: str


def verdict(champion: Evidence | None, candidate: Evidence) -> Verdict:
    """Promote the candidate unless it is measured to be worse.

    Worse means: its accuracy lies below the lower bound of the champion's interval. The candidate has
    learned from more labels, so a tie within the interval goes to it.
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
    if champion.accuracy is None or champion.low is None:
        return Verdict(
            "promote",
            "first-measured",
            f"Version {candidate.version} is measured ({candidate.accuracy:.1%} {candidate.basis}); "
            f"version {champion.version} was not.",
        )
    if candidate.accuracy >= champion.low:
        return Verdict(
            "promote",
            "no-worse",
            f"Accuracy {candidate.accuracy:.1%} {candidate.basis} is not below {champion.low:.1%}, "
            f"the lower bound of version {champion.version} ({champion.accuracy:.1%}).",
        )
    return Verdict(
        "hold",
        "worse",
        f"Accuracy {candidate.accuracy:.1%} {candidate.basis} is below {champion.low:.1%}, "
        f"the lower bound of version {champion.version} ({champion.accuracy:.1%}).",
    )


def evidence_json(champion: Evidence | None, candidate: Evidence) -> dict[str, object]:
    return {"champion": asdict(champion) if champion else None, "candidate": asdict(candidate)}
