"""Figures as people read them."""

from dataclasses import dataclass

from learning.models import ModelVersion


@dataclass(frozen=True)
class Accuracy:
    """Hold-out accuracy: fractions for the machine, words for people."""

    value: float
    low: float
    high: float
    words: str
    basis: str


def percent(share: float) -> str:
    return f"{share * 100:.1f}"


def accuracy_of(version: ModelVersion) -> Accuracy | None:
    """None for a version that was measured on no label."""
    value, low, high = (version.metrics[name] for name in ("accuracy", "accuracy_low", "accuracy_high"))
    if value is None:
        return None
    n = version.holdout_labels
    return Accuracy(
        value,
        low,
        high,
        f"{percent(value)}% ({percent(low)}–{percent(high)})",
        f"measured blind on {n:,} hold-out label{'' if n == 1 else 's'}",
    )
