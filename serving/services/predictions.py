"""Answer images with a champion, and keep what was answered."""

import hashlib
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelling.core.images import ImageRefused, open_rgb
from learning.core.backbones import prepare
from serving.models import ApiKey, Prediction
from serving.services.champions import Champion
from serving.services.prediction_log import predictions_store


@dataclass(frozen=True)
class Refused:
    """The image at this place of the request, and the sentence that says why it was not answered."""

    index: int
    error: str


@dataclass(frozen=True)
class Answered:
    index: int
    prediction: Prediction


def predictions_make(
    *, champion: Champion, key: ApiKey, images: Sequence[bytes], top: int
) -> list[Answered | Refused]:
    """One outcome an image, in their order. All good images go through the model in one batch."""
    outcomes: list[Answered | Refused] = []
    pixels: list[npt.NDArray[np.uint8]] = []  # (S, S, 3) each
    request_id = uuid.uuid4()
    for index, data in enumerate(images):
        started = time.perf_counter()
        try:
            prepared = prepare(open_rgb(data), champion.predictor.input_size)
        except ImageRefused as refusal:
            outcomes.append(Refused(index, str(refusal)))
            continue
        pixels.append(prepared)
        prediction = Prediction(
            project_id=key.project_id,
            api_key_id=key.pk,
            model_version_id=champion.version_id,
            request_id=request_id,
            digest=hashlib.sha256(data).hexdigest(),
            decode_ms=(time.perf_counter() - started) * 1000,
        )
        outcomes.append(Answered(index, prediction))
    answered = [outcome.prediction for outcome in outcomes if isinstance(outcome, Answered)]
    if answered:
        started = time.perf_counter()
        probabilities = champion.predictor.predict(np.stack(pixels))  # (B, K)
        infer_ms = (time.perf_counter() - started) * 1000
        for prediction, row in zip(answered, probabilities, strict=True):
            prediction.infer_ms = infer_ms
            prediction.top = likeliest(champion.predictor.classes, row, top)
        predictions_store(predictions=answered)
    return outcomes


def likeliest(
    classes: Sequence[str], probabilities: npt.NDArray[np.float32], top: int
) -> list[dict[str, str | float]]:
    order = np.argsort(-probabilities, kind="stable")[:top]
    return [{"label": classes[i], "probability": float(probabilities[i])} for i in order]
