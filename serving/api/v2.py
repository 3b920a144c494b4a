"""The Open Inference Protocol (V2), so that clients of KServe, Triton or MLServer work here unchanged.

A model's name is its project's slug. The answer holds the likeliest labels, their calibrated probabilities,
and each prediction's id for feedback. Where a project asks several questions, the first one's outputs stand
alone and each other's carry its short name, as in `colour.label`.
"""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpResponse, UnreadablePostError
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from serving.api.answering import (
    DEFAULT_TOP,
    AnswerResponse,
    answered,
    champions_of,
    checked_unit,
    model_that_answered,
)
from serving.api.base import ProjectApiView, TooLarge
from serving.api.deadlines import check_room, deadline_in, deadline_of
from serving.api.uploads import check_length
from serving.api.v2_schema import (
    V2_ERRORS,
    V2_EXAMPLES,
    V2Metadata,
    V2Ready,
    V2Request,
    V2Response,
)
from serving.api.v2_tensors import INPUT, Asked, asked_for, shown, tensor
from serving.models import Prediction, Scope
from serving.services.admission import Deadline
from serving.services.loaded import Champion
from serving.services.predictions import Answered, Refused

OUTPUTS = {
    "label": "BYTES",
    "probability": "FP32",
    "prediction": "BYTES",
    "arm": "BYTES",
    "version": "INT32",
    "precision": "BYTES",
}
_PER_LABEL = ("label", "probability")


class V2View(ProjectApiView):
    """The protocol's errors have a name of their own."""

    api = "v2"
    scope = Scope.PREDICT

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        if isinstance(response.data, dict) and "detail" in response.data:
            response.data = {"error": response.data["detail"]}
        return response

    def answering(self, version: str | None, deadline: Deadline | None = None) -> tuple[Champion, ...]:
        """Those that answer now, if the first is of that version. Raises an APIException."""
        found = champions_of(self.key.project, deadline)
        if version is not None and version != str(found[0].model.number):
            raise NotFound(f"Version {version[:20]} does not answer: version {found[0].model.number} does.")
        return found


class V2ModelView(V2View):
    @extend_schema(
        operation_id="v2_model",
        summary="What the model takes and gives",
        description="The Open Inference Protocol's model metadata. A side of -1 is any.",
        responses={200: V2Metadata, **{status: V2_ERRORS[status] for status in (401, 403, 404, 409, 503)}},
    )
    def get(self, request: Request, slug: str, version: str | None = None) -> Response:
        found = self.answering(version)
        outputs = [
            {
                "name": f"{prefix}{name}",
                "datatype": datatype,
                "shape": [-1, -1] if name in _PER_LABEL else [-1],
            }
            for prefix in _prefixes(found)
            for name, datatype in OUTPUTS.items()
        ]
        return Response(
            {
                "name": slug,
                "versions": [str(found[0].model.number)],
                "platform": "onnx",
                "inputs": [
                    {"name": INPUT, "datatype": "UINT8", "shape": [-1, -1, -1, 3]},
                    {"name": INPUT, "datatype": "BYTES", "shape": [-1]},
                ],
                "outputs": outputs,
                "parameters": {champion.key: champion.classes for champion in found},
            }
        )


class V2ReadyView(V2View):
    @extend_schema(
        operation_id="v2_model_ready",
        summary="Does the model answer?",
        responses={200: V2Ready, **{status: V2_ERRORS[status] for status in (401, 403, 404, 409, 503)}},
    )
    def get(self, request: Request, slug: str, version: str | None = None) -> Response:
        self.answering(version)
        return Response({"name": slug, "ready": True})


class V2InferView(V2View):
    @extend_schema(
        operation_id="v2_infer",
        summary="What is in these images, by the Open Inference Protocol?",
        description=(
            f"One input '{INPUT}': pixels as UINT8 [N, height, width, 3], or whole files in base64 as BYTES "
            "[N]. Up to 64 images, at most 32 MB. All are answered, or none: 400 if one cannot be read, 503 "
            "if the model fails on one. The parameter 'top' says how many labels, 'unit' whom you ask for, "
            "both as in predict; 'timeout', in microseconds, how long the answer may take. Send feedback "
            "with the output 'prediction'. The input's bytes may follow the JSON, as Triton's clients send "
            "them (its binary tensor data extension); the answer is always JSON."
        ),
        request=V2Request,
        responses={200: V2Response, **V2_ERRORS},
        examples=V2_EXAMPLES,
    )
    def post(self, request: Request, slug: str, version: str | None = None) -> HttpResponse:
        check_room(deadline_of(request._request, self.began))
        check_length(request._request)
        asked = asked_for(_body(request), request._request.META.get("HTTP_INFERENCE_HEADER_CONTENT_LENGTH"))
        deadline = _deadline(asked, request, self.began)
        found = self.answering(version, deadline)
        wanted = _wanted(asked, found)
        made = answered(
            key=self.key,
            champions=found,
            images=asked.images,
            top=_top(asked, found),
            unit=_unit(asked, request),
            whole=True,
            deadline=deadline,
        )
        refused = [one for one in made.outcomes if isinstance(one, Refused)]
        if refused:
            raise ParseError(f"Image {refused[0].index}: {refused[0].error}")
        outcomes = [one for one in made.outcomes if isinstance(one, Answered)]
        data: dict[str, Any] = {
            "model_name": slug,
            "model_version": str(found[0].model.number),
            "outputs": [one for one in _outputs(found, outcomes) if one["name"] in wanted],
        }
        if asked.id is not None:
            data["id"] = asked.id
        return AnswerResponse(data, made)


@extend_schema_view(get=extend_schema(operation_id="v2_version"))
class V2ModelOfView(V2ModelView):
    """Of a version that the client names, as are the next two."""


@extend_schema_view(get=extend_schema(operation_id="v2_version_ready"))
class V2ReadyOfView(V2ReadyView):
    pass


@extend_schema_view(post=extend_schema(operation_id="v2_version_infer"))
class V2InferOfView(V2InferView):
    pass


def _body(request: Request) -> bytes:
    try:
        return request._request.body
    except RequestDataTooBig as error:
        raise TooLarge("The body is larger than 32 MB: send fewer or smaller images.") from error
    except UnreadablePostError as error:
        raise ParseError("The connection broke before the whole body had come.") from error


def _top(asked: Asked, found: Sequence[Champion]) -> int:
    classes = max(len(champion.classes) for champion in found)
    top = asked.parameters.get("top", min(DEFAULT_TOP, classes))
    if type(top) is not int or not 1 <= top <= classes:
        raise ParseError(f"The parameter 'top' must be a whole number from 1 to {classes}.")
    return top


def _unit(asked: Asked, request: Request) -> str:
    unit = asked.parameters.get("unit", "")
    if not isinstance(unit, str) or not unit.isprintable():
        raise ParseError("The parameter 'unit' must be a text that can be printed.")
    return checked_unit(unit or request._request.META.get("HTTP_X_UNIT_KEY", ""))


def _deadline(asked: Asked, request: Request, began: float) -> Deadline:
    """Triton's parameter, else the header."""
    sent = asked.parameters.get("timeout")
    if sent is None:
        return deadline_of(request._request, began)
    refusal = "The parameter 'timeout' must be a whole number of microseconds, more than 0."
    return deadline_in(sent / 1e6 if type(sent) is int and sent < 10**12 else 0.0, began, refusal)


def _prefixes(found: Sequence[Champion]) -> list[str]:
    return ["", *(f"{champion.key}." for champion in found[1:])]


def _wanted(asked: Asked, found: Sequence[Champion]) -> set[str]:
    there = [f"{prefix}{name}" for prefix in _prefixes(found) for name in OUTPUTS]
    for name in asked.outputs or ():
        if name not in there:
            raise ParseError(f"There is no output '{shown(name)}'; there are {', '.join(there)}.")
    return set(asked.outputs or there)


def _outputs(found: Sequence[Champion], outcomes: Sequence[Answered]) -> list[dict[str, Any]]:
    tensors = []
    for place, (prefix, champion) in enumerate(zip(_prefixes(found), found, strict=True)):
        predictions = [one.predictions[place] for one in outcomes]
        # Merged lists may be shorter than others of the same request.
        longest = max(len(one.top) for one in predictions)
        for name, datatype in OUTPUTS.items():
            values: list[Any] = [_value(name, champion, one) for one in predictions]
            if name in _PER_LABEL:
                empty = "" if name == "label" else 0.0
                rows = [[label[name] for label in one.top] for one in predictions]
                values = [row + [empty] * (longest - len(row)) for row in rows]
            tensors.append(tensor(f"{prefix}{name}", datatype, values))
    return tensors


def _value(name: str, champion: Champion, prediction: Prediction) -> str | int:
    if name == "version":
        return model_that_answered(champion, prediction).number
    return {"arm": prediction.arm, "precision": prediction.precision}.get(name) or str(prediction.id)
