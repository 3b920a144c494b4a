"""Reads: float32 and int8 side by side, for a version's page and for programs."""

from dataclasses import dataclass

from learning.core.evaluation import wilson
from learning.core.precision import LEAST_LABELS
from learning.models import ModelVersion, QuantisedBackbone, QuantisedExport, Work


@dataclass(frozen=True)
class Figures:
    precision: str  # "float32" or "int8"
    used: bool
    accuracy: float | None  # None where nothing measured it
    low: float | None
    high: float | None
    ms: dict[str, float]  # what an image takes on one processor, by how many come at once
    bytes: int  # of the backbone


@dataclass(frozen=True)
class Precisions:
    figures: tuple[Figures, ...]  # both, or none as long as there is no int8 export
    why: str  # which one answers and why, or what is missing, in a sentence
    labels: int = 0  # of the hold-out, that both were measured on
    images: int = 0  # of the pool, that int8 was calibrated on


def precisions_of(version: ModelVersion) -> Precisions:
    made = QuantisedBackbone.objects.filter(project=version.project_id, backbone=version.backbone).first()
    if made is None and version.holdout_labels < LEAST_LABELS:
        had = f"{version.holdout_labels} of the {LEAST_LABELS} hold-out labels that can tell what int8 costs"
        return Precisions((), f"float32 answers: this version was measured on {had}.")
    if made is None and version.learner.backbone != version.backbone:
        return Precisions((), "float32 answers: the project's models stand on another backbone now.")
    if made is None:
        return Precisions((), "float32 answers: an int8 export is about to be made.")
    if made.state == Work.State.FAILED:
        return Precisions((), f"float32 answers. {made.error.rstrip('.')}. It is tried again within an hour.")
    if made.state != Work.State.DONE:
        return Precisions((), f"float32 answers: the int8 export is being made ({made.stage or 'waiting'}).")
    export = QuantisedExport.objects.filter(version=version).first()
    waiting = "float32 answers: int8 is about to be measured on the hold-out."
    return Precisions(
        (
            _figures(made, export, "float32", 0, made.size),
            _figures(made, export, "int8", 1, made.size_int8),
        ),
        export.why if export else waiting,
        export.labels if export else 0,
        made.images or 0,
    )


def _figures(
    made: QuantisedBackbone, export: QuantisedExport | None, precision: str, place: int, size: int | None
) -> Figures:
    right = (export.right, export.right_int8)[place] if export else 0
    labels = export.labels if export else 0
    low, high = wilson(right, labels) if labels else (None, None)
    int8 = export is not None and export.used
    return Figures(
        precision=precision,
        used=int8 == bool(place),
        accuracy=right / labels if labels else None,
        low=low,
        high=high,
        ms={batch: times[place] for batch, times in made.speeds.items()},
        bytes=size or 0,
    )
