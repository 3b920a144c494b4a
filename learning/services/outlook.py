"""What more labels would bring, told from the models so far: kept with the learner for its project's page."""

from dataclasses import asdict
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from labelling.models import Item
from learning.core.export import head_read
from learning.core.learning_curve import CurvePoint, predicted_curve, predicted_gain
from learning.core.methods import Head
from learning.core.stopping import KAPPA_DISTANCE, agreement, stop_signal
from learning.models import Learner, ModelVersion
from learning.services.artifacts import artifact_get
from learning.services.versions import VersionDraft

MORE = 100
# Enough of a curve to extrapolate, and of the pool to compare answers on.
POINTS = 60
PROBES = 2000
# Of the curve's continuation, evenly spread.
FORECASTS = 13


class Outlook(TypedDict):
    state: str
    sentence: str
    more: int
    only_proof: bool
    gain: float | None  # expected, of the accuracy, with the ends of its 95% interval
    gain_low: float | None
    gain_high: float | None
    forecast: list[dict[str, float]]  # labels, mean, low, high of the curve's continuation


def probes_of(count: int, labelled: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most PROBES of `count` rows, evenly spread, of those that are not `labelled`."""
    free = np.setdiff1d(np.arange(count), labelled)
    return free[:: max(1, -(-len(free) // PROBES))]


def outlook_of(
    *, learner: Learner, draft: VersionDraft, head: Head, probes: NDArray[np.float32], left: int
) -> Outlook:
    """Compare the draft with the learner's versions. `probes` (P, D): embeddings of unlabelled items; `left`:
    how many can still be asked."""
    metrics = draft.card["metrics"]
    newest = _point(draft.card["labels"], metrics["accuracy"], metrics["n"], metrics.get("effective"))
    points = _points(learner, newest)
    gain = predicted_gain(points, MORE) if points else None
    signal = stop_signal(
        correct=newest.correct,
        n=newest.n,
        left=left,
        holdout=_holdout(learner) if metrics.get("basis") != ModelVersion.DRAWS else None,
        target=learner.target,
        kappa=_kappa(learner, draft, head, probes),
        gain=gain,
    )
    return Outlook(
        state=signal.state.value,
        sentence=signal.sentence,
        more=MORE,
        only_proof=signal.only_proof,
        gain=gain.mean if gain else None,
        gain_low=gain.low if gain else None,
        gain_high=gain.high if gain else None,
        forecast=_forecast(points),
    )


def _holdout(learner: Learner) -> int:
    return Item.objects.filter(project=learner.project_id, split=Item.Split.HOLDOUT).count()


def _point(labels: int, accuracy: float | None, n: int, effective: float | None) -> CurvePoint:
    """Of a version that was measured on n hold-out labels, or by draws that are worth `effective` of them."""
    size = effective or n
    return CurvePoint(labels, 0.0 if accuracy is None else accuracy * size, size)


def _points(learner: Learner, newest: CurvePoint) -> list[CurvePoint]:
    """The last version of each number of labels, the draft last; empty if they are too few to go on from."""
    measured = (
        ModelVersion.objects.filter(
            # Models of rules alone, of no label, lie on no curve.
            learner=learner,
            labels__gt=0,
            labels__lt=newest.labels,
            metrics__accuracy__gte=0,
        )
        .order_by("labels", "number")
        .values_list("labels", "metrics__accuracy", "metrics__n", "metrics__effective")
    )
    points = {one[0]: _point(*one) for one in measured}
    every = [*points.values(), newest]
    if len(every) < 3 or newest.n == 0:
        return []
    kept = np.unique(np.linspace(0, len(every) - 1, min(POINTS, len(every))).round().astype(int))
    return [every[i] for i in kept]


def _forecast(points: list[CurvePoint]) -> list[dict[str, float]]:
    """As many labels further as there are now, and MORE at least."""
    if not points:
        return []
    ahead = np.linspace(0, max(MORE, points[-1].labels), FORECASTS).round().astype(int)
    return [asdict(one) for one in predicted_curve(points, ahead.tolist())]


def _kappa(learner: Learner, draft: VersionDraft, head: Head, probes: NDArray[np.float32]) -> float | None:
    """Agreement on the probes with the model of KAPPA_DISTANCE labels ago, if it has the same classes."""
    before = (
        ModelVersion.objects.filter(learner=learner, labels__lte=draft.card["labels"] - KAPPA_DISTANCE)
        .order_by("-labels", "-number")
        .first()
    )
    same = ("classes", "backbone")
    if before is None or not len(probes) or any(before.card[name] != draft.card[name] for name in same):
        return None
    old = head_read(artifact_get(digest=before.card["weights"], suffix=".safetensors"))
    return agreement(old.logits(probes).argmax(axis=1), head.logits(probes).argmax(axis=1))
