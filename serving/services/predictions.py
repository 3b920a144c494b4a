"""Answer images with a project's champions and their rollouts, and keep what was answered."""

import hashlib
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelling.core.images import ImageRefused, open_rgb
from learning.core.backbones import prepare
from serving.models import ApiKey, Prediction
from serving.services.afterwards import Job
from serving.services.answers import Sent, answer_all, deal_all
from serving.services.dealing import Dealt
from serving.services.inference import Batch, ModelFailed
from serving.services.input_places import places_keep
from serving.services.kept_images import worth_keeping
from serving.services.loaded import Champion
from serving.services.metrics import predictions_count
from serving.services.prediction_log import predictions_store
from serving.services.shadow import Mirrored

FAILED = "The model failed on this image."


@dataclass(frozen=True)
class Refused:
    """The image at this place of the request, and the sentence that says why it was not answered."""

    index: int
    error: str


@dataclass(frozen=True)
class Answered:
    index: int
    predictions: tuple[Prediction, ...]  # of each champion


@dataclass(frozen=True)
class Made:
    outcomes: list[Answered | Refused]  # one an image, in their order
    afterwards: list[Job]  # to be done once the answer has gone out


def predictions_make(
    *,
    champions: Sequence[Champion],
    key: ApiKey,
    images: Sequence[bytes],
    top: int,
    unit: str = "",
    whole: bool = False,
    until: float | None = None,
) -> Made:
    """An answer of each champion, or of an arm of its rollout, to each good image.

    All images go through a model in one batch, and through a backbone that models share once. `unit`: the
    client's key of whoever it asks for; without it, each image is a unit of its own. `whole`: where one
    is not answered, none is. `until`: of `time.monotonic`. Raises ModelFailed when a champion fails on all,
    or on one of a whole; that it did is kept. Raises TooLate when no model could begin in time.
    """
    places, sent, pixels, refused = _read(champions, images, unit)
    batch = Batch(pixels, until)
    if not sent or (whole and refused):
        return Made(list(refused.values()), [])
    dealt = [deal_all(champion, sent, batch) for champion in champions]
    found = [
        answer_all(champion, sent, how, batch, top) for champion, how in zip(champions, dealt, strict=True)
    ]
    for champion, predictions in zip(champions, found, strict=True):
        places_keep(champion, predictions, batch)
    request_id = uuid.uuid4()
    for prediction in (one for of_question in found for one in of_question):
        prediction.project_id, prediction.api_key_id = key.project_id, key.pk
        prediction.request_id = request_id
    of_images = list(zip(*found, strict=True))
    rows = [row for row, answers in enumerate(of_images) if all(one.answered for one in answers)]
    if whole and len(rows) < len(sent):
        rows = []
    _keep(champions, found, set(rows), key.project.slug)
    if not rows:
        raise ModelFailed("A champion failed.")
    answered = {places[row]: Answered(places[row], of_images[row]) for row in rows}
    failed = {place: Refused(place, FAILED) for place in places if place not in answered}
    outcomes = [answered.get(n) or failed.get(n) or refused[n] for n in range(len(images))]
    raw = {row: images[places[row]] for row in rows}
    jobs = [
        job
        for champion, how, predictions in zip(champions, dealt, found, strict=True)
        for job in _afterwards(champion, how, predictions, batch, raw, key.project.slug)
    ]
    return Made(outcomes, jobs)


def _keep(
    champions: Sequence[Champion], found: Sequence[Sequence[Prediction]], rows: set[int], project: str
) -> None:
    """What clients are told of these rows, and of the others that a champion failed: nothing else of them is
    told. Raises CannotBeKept.
    """
    kept = [
        [one for row, one in enumerate(predictions) if row in rows or not one.answered]
        for predictions in found
    ]
    predictions_store(predictions=[one for predictions in kept for one in predictions])
    for champion, predictions in zip(champions, kept, strict=True):
        mode = champion.rollout.plan.mode if champion.rollout else ""
        predictions_count(project, mode, predictions)


def _read(
    champions: Sequence[Champion], images: Sequence[bytes], unit: str
) -> tuple[list[int], list[Sent], dict[int, list[npt.NDArray[np.uint8]]], dict[int, Refused]]:
    """The images that can be read, their pixels for each input size, and why the others cannot."""
    models = [model for champion in champions for model in champion.models]
    pixels: dict[int, list[npt.NDArray[np.uint8]]] = {model.predictor.input_size: [] for model in models}
    places: list[int] = []
    sent: list[Sent] = []
    refused: dict[int, Refused] = {}
    for index, data in enumerate(images):
        started = time.perf_counter()
        try:
            opened = open_rgb(data)
            prepared = {size: prepare(opened, size) for size in pixels}
        except ImageRefused as refusal:
            refused[index] = Refused(index, str(refusal))
            continue
        for size, of in pixels.items():
            of.append(prepared[size])
        digest, decode_ms = hashlib.sha256(data).hexdigest(), (time.perf_counter() - started) * 1000
        places.append(index)
        sent.append(Sent(len(sent), digest, unit or digest, decode_ms))
    return places, sent, pixels, refused


def _afterwards(
    champion: Champion,
    dealt: Sequence[Dealt],
    predictions: Sequence[Prediction],
    batch: Batch,
    raw: Mapping[int, bytes],
    project: str,
) -> list[Job]:
    """The images of a question that the challenger is to see, and those that the project is to keep; `raw`
    has those that were answered, by row.
    """
    live = champion.rollout
    jobs: list[Job] = []
    rows = [row for row, how in enumerate(dealt) if how.mirrored and row in raw]
    if live is not None and rows:
        images = tuple(raw[row] for row in rows) if champion.keep_images else ()
        told = tuple(predictions[row] for row in rows)
        jobs.append(Mirrored.of(live, batch, rows, told, project, images))
    if champion.keep_images:
        kept = (worth_keeping(predictions[row], data, champion) for row, data in raw.items())
        jobs += [job for job in kept if job is not None]
    return jobs
