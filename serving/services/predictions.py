"""Answer images with a project's champions, and keep what was answered."""

import hashlib
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelling.core.images import ImageRefused, open_rgb
from learning.core.backbones import prepare
from learning.core.predictor import Embedder
from serving.models import ApiKey, Prediction
from serving.services.champions import Champion
from serving.services.prediction_log import predictions_store

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Refused:
    """The image at this place of the request, and the sentence that says why it was not answered."""

    index: int
    error: str


@dataclass(frozen=True)
class Answered:
    index: int
    predictions: tuple[Prediction, ...]  # of each champion


def predictions_make(
    *, champions: Sequence[Champion], key: ApiKey, images: Sequence[bytes], top: int
) -> list[Answered | Refused]:
    """One outcome an image, in their order, with an answer of each champion.

    All good images go through a model in one batch, and through a backbone that champions share once.
    """
    outcomes: list[Answered | Refused] = []
    pixels: dict[int, list[Pixels]] = {champion.predictor.input_size: [] for champion in champions}
    request_id = uuid.uuid4()
    for index, data in enumerate(images):
        started = time.perf_counter()
        try:
            opened = open_rgb(data)
            prepared = {size: prepare(opened, size) for size in pixels}
        except ImageRefused as refusal:
            outcomes.append(Refused(index, str(refusal)))
            continue
        for size, of in pixels.items():
            of.append(prepared[size])
        digest, decode_ms = hashlib.sha256(data).hexdigest(), (time.perf_counter() - started) * 1000
        predictions = tuple(
            Prediction(
                project_id=key.project_id,
                api_key_id=key.pk,
                model_version_id=champion.version_id,
                request_id=request_id,
                digest=digest,
                decode_ms=decode_ms,
            )
            for champion in champions
        )
        outcomes.append(Answered(index, predictions))
    answered = [outcome.predictions for outcome in outcomes if isinstance(outcome, Answered)]
    if answered:
        batches = {size: np.stack(of) for size, of in pixels.items()}  # (B, S, S, 3) each
        features: dict[Embedder, npt.NDArray[np.float32]] = {}
        for place, champion in enumerate(champions):
            _answer(champion, [predictions[place] for predictions in answered], batches, features, top)
        predictions_store(predictions=[one for predictions in answered for one in predictions])
    return outcomes


def _answer(
    champion: Champion,
    predictions: Sequence[Prediction],
    batches: Mapping[int, Pixels],
    features: dict[Embedder, npt.NDArray[np.float32]],
    top: int,
) -> None:
    """Fill in what the champion says; `features` keeps what its backbone makes of the batch."""
    started = time.perf_counter()
    predictor = champion.predictor
    if predictor.embedder not in features:
        features[predictor.embedder] = predictor.embedder.embed(batches[predictor.input_size])
    probabilities = predictor.predict_features(features[predictor.embedder])  # (B, K)
    infer_ms = (time.perf_counter() - started) * 1000
    for prediction, row in zip(predictions, probabilities, strict=True):
        prediction.infer_ms = infer_ms
        prediction.top = likeliest(predictor.classes, row, top)


def likeliest(
    classes: Sequence[str], probabilities: npt.NDArray[np.float32], top: int
) -> list[dict[str, str | float]]:
    order = np.argsort(-probabilities, kind="stable")[:top]
    return [{"label": classes[i], "probability": float(probabilities[i])} for i in order]
