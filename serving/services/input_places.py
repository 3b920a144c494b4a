"""Where the images that clients send lie among the project's own: kept with each answer, to tell drift."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from serving.models import Prediction
from serving.services.inference import Batch
from serving.services.loaded import Champion, LoadedReference


def places_keep(champion: Champion, predictions: Sequence[Prediction], batch: Batch) -> None:
    """Of a question's answers, one an image, whoever gave them: it is the champion's backbone that compares.

    It takes some 20 microseconds, for what the backbone has made of the images is there; where it has not
    seen one, that has no place.
    """
    reference = champion.reference
    if reference is None or reference.embedder != champion.model.predictor.embedder.digest:
        return
    made = batch.features_of(champion.model)
    rows = [row for row in range(len(predictions)) if row in made]
    if not rows:
        return
    features = np.stack([made[row] for row in rows])
    for row, place in zip(rows, reference.inputs.places(features), strict=True):
        predictions[row].place = reference.mark + place.tobytes()


def place_read(kept: bytes, reference: LoadedReference) -> NDArray[np.float32] | None:
    """(d,); None for a place that does not begin with the reference's mark, or is not finite."""
    if not kept.startswith(reference.mark):
        return None
    place = np.frombuffer(kept, np.float32, offset=len(reference.mark))
    known = len(place) == len(reference.inputs.middle) and np.isfinite(place).all()
    return place if known else None
