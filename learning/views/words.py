"""Figures as people read them."""

from dataclasses import dataclass
from typing import Any

from learning.core.evaluation import wilson
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


def reliability_of(bins: list[dict[str, float]]) -> list[dict[str, Any]]:
    """Each bin of confidence with the interval of its share of right answers, and both in words."""
    rows = []
    for one in bins:
        low, high = wilson(one["accuracy"] * one["n"], one["n"])
        words = f"{percent(one['accuracy'])}% ({percent(low)}–{percent(high)})"
        rows.append(
            {**one, "low": low, "high": high, "sure": f"{percent(one['confidence'])}%", "words": words}
        )
    return rows
