"""Figures as people read them."""

from dataclasses import dataclass
from typing import Any

from labelling.models import Project
from learning.core.evaluation import wilson
from learning.models import ModelVersion
from learning.quantised_selectors import Figures, Precisions
from learning.selectors import measured_on


@dataclass(frozen=True)
class Accuracy:
    """Fractions for the machine, words for people."""

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
    words = f"{percent(value)}% ({percent(low)}–{percent(high)})"
    rests = measured_on(version.metrics)
    if version.metrics.get("basis") != ModelVersion.DRAWS:
        return Accuracy(value, low, high, words, f"measured blind on {rests}")
    return Accuracy(
        value,
        low,
        high,
        words,
        f"estimated by {rests}, each answered by a model that had not seen it; there is no hold-out",
    )


def unmeasured(project: Project) -> str:
    """Why a version's accuracy is not known."""
    held_out = project.holdout_share > 0
    what = "no hold-out image is labelled yet" if held_out else "nothing was drawn at random yet"
    if project.holdout_queue_share > 0:
        return what
    return f"{what}, and none is asked: raise the blind questions in the settings"


def precision_words(precisions: Precisions) -> dict[str, Any]:
    """float32 and int8 as a table."""
    return {
        "why": precisions.why,
        "labels": f"{precisions.labels:,}" if precisions.labels else "",
        "images": f"{precisions.images:,}",
        "columns": [_precision_column(one) for one in precisions.figures],
    }


def _precision_column(one: Figures) -> dict[str, Any]:
    return {
        "name": one.precision,
        "used": one.used,
        "accuracy": f"{percent(one.accuracy)}%" if one.accuracy is not None else "",
        "interval": "" if one.low is None or one.high is None else f"{percent(one.low)}–{percent(one.high)}",
        "alone": f"{one.ms['1']:.2f}",
        "together": f"{one.ms['32']:.2f}",
        "mb": f"{one.bytes / 1e6:.1f}",
    }


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


def time_words(seconds: float | None) -> str:
    """ "" for what is not known."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {round(seconds / 60)} min"
