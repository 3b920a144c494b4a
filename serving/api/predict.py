import logging
from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from serving.api.base import ComeBack, Conflict, ProjectApiView
from serving.api.schema import ERRORS, PREDICT_EXAMPLES, PREDICT_REQUEST, PredictResponse
from serving.api.uploads import images_sent
from serving.models import Prediction
from serving.services.afterwards import afterwards
from serving.services.champions import ChampionLoading, NoChampion, champions
from serving.services.inference import ModelFailed
from serving.services.loaded import Champion, LoadedModel
from serving.services.predictions import Answered, Made, Refused, predictions_make

logger = logging.getLogger(__name__)

DEFAULT_TOP = 5
LONGEST_UNIT = 200


class PredictView(ProjectApiView):
    @extend_schema(
        operation_id="predict",
        summary="What is in these images?",
        description=(
            "Send one image as the body (its bytes, with an image type or application/octet-stream), or "
            "up to 64 as 'image' files of a form. The project's champion model answers with its likeliest "
            "labels and their calibrated probabilities. Where a project asks several questions, 'answers' "
            "has one for each, by the question's short name. Of several images, one that cannot be read gets "
            "an 'error' of its own and the others are answered; when none can be read, the status is 400. "
            "At most 32 MB a request. Where two models are compared, a unit (a user, a camera, a session) "
            "always gets the same one: say whom you ask for in the header X-Unit-Key or as 'unit'."
        ),
        parameters=[
            OpenApiParameter(
                "top", int, description="How many labels, from 1 to all; 5 or all if not given."
            ),
            OpenApiParameter(
                "unit", str, description="Whom you ask for; without it, each image is a unit of its own."
            ),
            OpenApiParameter("X-Unit-Key", str, OpenApiParameter.HEADER, description="The same as 'unit'."),
        ],
        request=PREDICT_REQUEST,
        responses={
            200: PredictResponse,
            **{status: ERRORS[status] for status in (400, 401, 404, 409, 411, 413, 415, 503)},
        },
        examples=PREDICT_EXAMPLES,
    )
    def post(self, request: Request, slug: str) -> HttpResponse:
        top = _top(request.GET.get("top"))
        images = images_sent(request._request)
        answering = self._champions()
        classes = max(len(champion.classes) for champion in answering)
        if top is not None and top > classes:
            raise ParseError(f"'top' is {top}, but the model knows {classes} labels.")
        try:
            made = predictions_make(
                champions=answering,
                key=self.key,
                images=images,
                top=top or min(DEFAULT_TOP, classes),
                unit=_unit(request._request),
            )
        except ModelFailed as failure:
            logger.exception("The champion of project %d failed.", self.key.project_id)
            raise ComeBack("The model failed on this request. Try again in a second.") from failure
        return _response(answering, made)

    def _champions(self) -> tuple[Champion, ...]:
        project = self.key.project
        try:
            return champions.get(project.pk)
        except NoChampion as none:
            raise Conflict(
                f"{project.name} has no model yet: "
                "it trains by itself once items of two classes are labelled."
            ) from none
        except ChampionLoading as loading:
            raise ComeBack("The model is being loaded. Try again in a second.") from loading


def _top(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0):
        raise ParseError(f"'top' is '{text[:40]}': it must be a whole number, at least 1.")
    return int(text[:9])


def _unit(request: HttpRequest) -> str:
    sent = request.headers.get("X-Unit-Key") or request.GET.get("unit") or request.POST.get("unit") or ""
    unit = sent.strip()
    if len(unit) > LONGEST_UNIT:
        raise ParseError(f"The unit key has {len(unit)} characters: at most {LONGEST_UNIT} are read.")
    return unit


class AnswerResponse(JsonResponse):
    """Hands on what is to be done afterwards when the server is done with the answer."""

    def __init__(self, data: dict[str, Any], made: Made) -> None:
        super().__init__(data)
        self._jobs = made.afterwards

    def close(self) -> None:
        super().close()
        while self._jobs:
            afterwards.put(self._jobs.pop())


def _response(answering: Sequence[Champion], made: Made) -> HttpResponse:
    outcomes = made.outcomes
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    predictions = [_as_json(answering, outcome) for outcome in outcomes]
    if len(refused) < len(outcomes):
        return AnswerResponse({"model": _model(answering[0].model), "predictions": predictions}, made)
    if len(outcomes) == 1:
        return JsonResponse({"detail": refused[0].error}, status=400)
    detail = f"None of the {len(outcomes)} images can be read."
    return JsonResponse({"detail": detail, "predictions": predictions}, status=400)


def _as_json(answering: Sequence[Champion], outcome: Answered | Refused) -> dict[str, Any]:
    """With several questions, the first one's answer stands where the only one's would."""
    if isinstance(outcome, Refused):
        return {"index": outcome.index, "error": outcome.error}
    first = {"index": outcome.index, **_answer(answering[0], outcome.predictions[0])}
    if not answering[0].several:
        return first
    answers = {
        champion.key: {"model": _model(champion.model), **_answer(champion, prediction)}
        for champion, prediction in zip(answering, outcome.predictions, strict=True)
    }
    return {**first, "question": answering[0].key, "answers": answers}


def _answer(champion: Champion, prediction: Prediction) -> dict[str, Any]:
    """During a rollout another model than the champion may have answered: it is named."""
    named = {"id": str(prediction.id), "arm": prediction.arm, "labels": prediction.top}
    live = champion.rollout
    if live is None or prediction.rollout_id is None:
        return named
    model = next(one for one in champion.models if one.version_id == prediction.model_version_id)
    return {**named, "model": _model(model)}


def _model(model: LoadedModel) -> dict[str, Any]:
    return {"version": model.number, "digest": model.digest}
