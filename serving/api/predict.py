from typing import Any

from django.http import HttpResponse, JsonResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from serving.api.base import ComeBack, Conflict, ProjectApiView
from serving.api.schema import ERRORS, PREDICT_EXAMPLES, PREDICT_REQUEST, PredictResponse
from serving.api.uploads import images_sent
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
            "labels and their calibrated probabilities. Of several images, one that cannot be read gets an "
            "'error' of its own and the others are answered; when none can be read, the status is 400. "
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
        champion = self._champion()
        classes = len(champion.predictor.classes)
        if top is not None and top > classes:
            raise ParseError(f"'top' is {top}, but the model knows {classes} labels.")
        outcomes = predictions_make(
            champion=champion, key=self.key, images=images, top=top or min(DEFAULT_TOP, classes)
        )
        return _response(champion, outcomes)

    def _champion(self) -> Champion:
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


def _response(champion: Champion, outcomes: list[Answered | Refused]) -> HttpResponse:
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    predictions = [_as_json(outcome) for outcome in outcomes]
    if len(refused) < len(outcomes):
        model = {"version": champion.number, "digest": champion.digest}
        return JsonResponse({"model": model, "predictions": predictions})
    if len(outcomes) == 1:
        return JsonResponse({"detail": refused[0].error}, status=400)
    detail = f"None of the {len(outcomes)} images can be read."
    return JsonResponse({"detail": detail, "predictions": predictions}, status=400)


def _as_json(outcome: Answered | Refused) -> dict[str, Any]:
    if isinstance(outcome, Refused):
        return {"index": outcome.index, "error": outcome.error}
    prediction = outcome.prediction
    return {
        "index": outcome.index,
        "id": str(prediction.id),
        "arm": prediction.arm,
        "labels": prediction.top,
    }
