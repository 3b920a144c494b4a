from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from serving.api.answering import (
    DEFAULT_TOP,
    AnswerResponse,
    answered,
    champions_of,
    checked_unit,
    model_that_answered,
)
from serving.api.base import ProjectApiView
from serving.api.deadlines import HEADER, check_room, deadline_of
from serving.api.once import answered_once, check_keepable
from serving.api.schema import ERRORS, PREDICT_EXAMPLES, PREDICT_REQUEST, PredictResponse
from serving.api.uploads import images_sent
from serving.models import Prediction, Scope
from serving.services.admission import Deadline
from serving.services.idempotency import MOST_LABELS
from serving.services.loaded import Champion, LoadedModel
from serving.services.predictions import Answered, Made, Refused


class PredictView(ProjectApiView):
    api = "predict"
    scope = Scope.PREDICT

    @extend_schema(
        operation_id="predict",
        summary="What is in these images?",
        description=(
            "Send one image as the body (its bytes, with an image type or application/octet-stream), or "
            "up to 64 as 'image' files of a form, or name up to 64 items that the project has, by number or "
            "by their file's SHA-256. The project's champion model answers with its likeliest "
            "labels and their calibrated probabilities. Where a project asks several questions, 'answers' "
            "has one for each, by the question's short name. Of several images, one that cannot be read, or "
            "that the model fails on, gets an 'error' of its own and the others are answered; when none can "
            "be read, the status is 400, and when the model fails on all that can, 503. At most 32 MB a "
            "request. Where two models are compared, a unit (a user, a camera, a session) gets the same one "
            "as long as the shares stay: say whom you ask for in the header X-Unit-Key or as 'unit'."
        ),
        parameters=[
            OpenApiParameter(
                "top",
                {"type": "integer", "minimum": 1},
                description="How many labels, from 1 to all; 5 or all if not given.",
            ),
            OpenApiParameter(
                "unit", str, description="Whom you ask for; without it, each image is a unit of its own."
            ),
            OpenApiParameter("X-Unit-Key", str, OpenApiParameter.HEADER, description="The same as 'unit'."),
            OpenApiParameter(
                "Idempotency-Key",
                str,
                OpenApiParameter.HEADER,
                description=(
                    "Sent again with the same key within a day, a request gets the first answer; within "
                    "less, a minute at least, where an API key's answers of a day are more than 16 MB. Such "
                    f"an answer has at most {MOST_LABELS:,} labels, of all its images and questions."
                ),
            ),
            OpenApiParameter(
                HEADER,
                {"type": "number", "minimum": 0, "exclusiveMinimum": True},
                OpenApiParameter.HEADER,
                description="Seconds that the answer may take; later than that it is 504. 10 if not given.",
            ),
        ],
        request=PREDICT_REQUEST,
        responses={200: PredictResponse, **ERRORS},
        examples=PREDICT_EXAMPLES,
    )
    def post(self, request: Request, slug: str) -> HttpResponse:
        deadline = deadline_of(request._request, self.began)
        check_room(deadline)
        top = _top(request.GET.get("top"))
        images = images_sent(request._request, self.key.project, deadline)
        unit = _unit(request._request)
        parts = [str(top).encode(), unit.encode(), *images]
        with answered_once(request._request, self.key, parts) as once:
            return once.answer or once.keep(self._predicted(images, top, unit, deadline))

    def _predicted(self, images: list[bytes], top: int | None, unit: str, deadline: Deadline) -> HttpResponse:
        answering = champions_of(self.key.project, deadline)
        classes = max(len(champion.classes) for champion in answering)
        if top is not None and top > classes:
            raise ParseError(f"'top' is {top}, but the model knows {classes} labels.")
        top = top or min(DEFAULT_TOP, classes)
        if self.request._request.META.get("HTTP_IDEMPOTENCY_KEY"):
            check_keepable(len(images) * sum(min(top, len(one.classes)) for one in answering))
        made = answered(
            key=self.key,
            champions=answering,
            images=images,
            top=top,
            unit=unit,
            whole=False,
            deadline=deadline,
        )
        return _response(answering, made)


def _top(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0):
        raise ParseError(f"'top' is '{text[:40]}': it must be a whole number, at least 1.")
    return int(text[:9])


def _unit(request: HttpRequest) -> str:
    sent = request.META.get("HTTP_X_UNIT_KEY") or request.GET.get("unit") or request.POST.get("unit") or ""
    return checked_unit(sent)


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
    if champion.rollout is None or prediction.rollout_id is None:
        return named
    return {**named, "model": _model(model_that_answered(champion, prediction))}


def _model(model: LoadedModel) -> dict[str, Any]:
    return {"version": model.number, "digest": model.digest, "precision": model.precision}
