from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse, JsonResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from serving.api.base import ComeBack, Conflict, ProjectApiView
from serving.api.schema import ERRORS, PREDICT_EXAMPLES, PREDICT_REQUEST, PredictResponse
from serving.api.uploads import images_sent
from serving.models import Prediction
from serving.services.champions import Champion, ChampionLoading, NoChampion, champions
from serving.services.predictions import Answered, Refused, predictions_make

DEFAULT_TOP = 5


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
            "At most 32 MB a request."
        ),
        parameters=[
            OpenApiParameter("top", int, description="How many labels, from 1 to all; 5 or all if not given.")
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
        classes = max(len(champion.predictor.classes) for champion in answering)
        if top is not None and top > classes:
            raise ParseError(f"'top' is {top}, but the model knows {classes} labels.")
        outcomes = predictions_make(
            champions=answering, key=self.key, images=images, top=top or min(DEFAULT_TOP, classes)
        )
        return _response(answering, outcomes)

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


def _response(answering: Sequence[Champion], outcomes: list[Answered | Refused]) -> HttpResponse:
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    predictions = [_as_json(answering, outcome) for outcome in outcomes]
    if len(refused) < len(outcomes):
        return JsonResponse({"model": _model(answering[0]), "predictions": predictions})
    if len(outcomes) == 1:
        return JsonResponse({"detail": refused[0].error}, status=400)
    detail = f"None of the {len(outcomes)} images can be read."
    return JsonResponse({"detail": detail, "predictions": predictions}, status=400)


def _as_json(answering: Sequence[Champion], outcome: Answered | Refused) -> dict[str, Any]:
    """With several questions, the first one's answer stands where the only one's would."""
    if isinstance(outcome, Refused):
        return {"index": outcome.index, "error": outcome.error}
    first = {"index": outcome.index, **_answer(outcome.predictions[0])}
    if not answering[0].several:
        return first
    answers = {
        champion.key: {"model": _model(champion), **_answer(prediction)}
        for champion, prediction in zip(answering, outcome.predictions, strict=True)
    }
    return {**first, "question": answering[0].key, "answers": answers}


def _answer(prediction: Prediction) -> dict[str, Any]:
    return {"id": str(prediction.id), "arm": prediction.arm, "labels": prediction.top}


def _model(champion: Champion) -> dict[str, Any]:
    return {"version": champion.number, "digest": champion.digest}
