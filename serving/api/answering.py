"""What both predict APIs share: the champions of a project, its answers, and what comes after them."""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework.exceptions import ParseError

from labelling.models import Project
from serving.api.base import ComeBack, Conflict
from serving.api.deadlines import told
from serving.models import ApiKey, Prediction
from serving.services.admission import Deadline, admission
from serving.services.afterwards import afterwards
from serving.services.champions import ChampionBroken, ChampionLoading, NoChampion, champions
from serving.services.inference import ModelFailed
from serving.services.loaded import Champion, LoadedModel
from serving.services.predictions import Made, predictions_make

logger = logging.getLogger(__name__)

DEFAULT_TOP = 5
LONGEST_UNIT = 200
LOADING_SECONDS = 5.0
# So many of a process may wait for models at once: its other threads are for the rest.
_patience = threading.BoundedSemaphore(16)


def champions_of(project: Project, deadline: Deadline | None = None) -> tuple[Champion, ...]:
    """With a deadline, those that are being loaded are waited for: a process that comes in the place of
    a killed one needs a second. Raises Conflict or ComeBack.
    """
    try:
        try:
            return champions.get(project.pk)
        except ChampionLoading as loading:
            if (
                isinstance(loading, ChampionBroken)
                or deadline is None
                or not _patience.acquire(blocking=False)
            ):
                raise
        try:
            return _loaded_by(project, min(deadline.at, time.monotonic() + LOADING_SECONDS))
        finally:
            _patience.release()
    except NoChampion as none:
        raise Conflict(
            f"{project.name} has no model yet: it trains by itself once items of two classes are labelled."
        ) from none
    except ChampionBroken as broken:
        raise ComeBack("The model cannot be loaded: the project's managers see why.") from broken
    except ChampionLoading as loading:
        raise ComeBack("The model is being loaded. Try again in a second.") from loading


def _loaded_by(project: Project, until: float) -> tuple[Champion, ...]:
    while True:
        try:
            return champions.get(project.pk)
        except ChampionLoading:
            if time.monotonic() >= until:
                raise
            time.sleep(0.02)


def answered(
    *,
    key: ApiKey,
    champions: Sequence[Champion],
    images: Sequence[bytes],
    top: int,
    unit: str,
    whole: bool,
    deadline: Deadline,
) -> Made:
    """`whole`: all images or none. Raises ComeBack when a model fails or too many ask, or DeadlinePassed."""
    try:
        with told(deadline), admission.entered(deadline):
            return predictions_make(
                champions=champions,
                key=key,
                images=images,
                top=top,
                unit=unit,
                whole=whole,
                until=deadline.at,
            )
    except ModelFailed as failure:
        logger.exception("The champion of project %d failed.", key.project_id)
        raise ComeBack("The model failed on this request. Try again in a second.") from failure


def checked_unit(sent: str) -> str:
    """Raises ParseError."""
    unit = sent.strip()
    if len(unit) > LONGEST_UNIT:
        raise ParseError(f"The unit key has {len(unit)} characters: at most {LONGEST_UNIT} are read.")
    return unit


def model_that_answered(champion: Champion, prediction: Prediction) -> LoadedModel:
    """During a rollout it may be another than the champion."""
    if champion.rollout is None or prediction.rollout_id is None:
        return champion.model
    return next(one for one in champion.models if one.version_id == prediction.model_version_id)


class AnswerResponse(HttpResponse):
    """Hands on what is to be done afterwards when the server is done with the answer."""

    def __init__(self, data: dict[str, Any], made: Made) -> None:
        super().__init__(orjson.dumps(data), content_type="application/json")
        self._jobs = made.afterwards

    def close(self) -> None:
        super().close()
        while self._jobs:
            afterwards.put(self._jobs.pop())
