"""Figures in words, the same on every page."""

from learning.models import ModelVersion
from serving.models import Deployment
from serving.selectors import LiveAccuracy
from serving.services.deployments import evidence_of


def accuracy_words(version: ModelVersion) -> str:
    found = evidence_of(version)
    if found.accuracy is None or found.low is None or found.high is None:
        return "not measured yet"
    return f"{found.accuracy:.1%} ({found.low:.1%} to {found.high:.1%})"


def live_accuracy_words(found: LiveAccuracy | None) -> str:
    """How often clients got right answers."""
    if found is None:
        return "not known yet"
    labels = f"{found.labels} label{'' if found.labels == 1 else 's'}"
    return f"{found.right:.1%} ({found.low:.1%} to {found.high:.1%}, {labels})"


def further_champions(deployments: list[Deployment]) -> list[dict[str, object]]:
    """Those of the questions after the first, as pages show them below it."""
    return [
        {"deployment": one, "champion": one.champion, "accuracy": accuracy_words(one.champion)}
        for one in deployments
        if one.champion is not None
    ]
