import uuid

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from labelling.api.bodies import JsonBody
from serving.api.base import ComeBack, Conflict, ProjectApiView
from serving.api.schema import ERRORS, FeedbackRequest, FeedbackResponse
from serving.api.uploads import check_length
from serving.models import Prediction, Scope
from serving.services.feedback import FeedbackConflict, UnknownLabel, feedback_record
from serving.services.prediction_log import NotYetKnown, prediction_find

MAX_FEEDBACK = 4 * 1024


class FeedbackView(ProjectApiView):
    api = "feedback"
    scope = Scope.FEEDBACK
    parser_classes = [JsonBody]

    @extend_schema(
        operation_id="feedback",
        summary="What it really was",
        description=(
            "Report the true label of a prediction, once. The same again is harmless (200); another label "
            "for the same prediction is refused (409)."
        ),
        parameters=[
            OpenApiParameter(
                "prediction_id", OpenApiTypes.UUID, OpenApiParameter.PATH, description="The prediction's id."
            )
        ],
        request=FeedbackRequest,
        responses={
            201: FeedbackResponse,
            200: FeedbackResponse,
            **{status: ERRORS[status] for status in (400, 401, 403, 404, 409, 413, 415, 503)},
        },
        examples=[OpenApiExample("A label of the project", value={"label": "7"}, request_only=True)],
    )
    def post(self, request: Request, slug: str, prediction_id: str) -> Response:
        check_length(request, MAX_FEEDBACK)
        label = request.data.get("label") if isinstance(request.data, dict) else None
        if not isinstance(label, str):
            raise ParseError('Send a JSON object with the label\'s name: {"label": "7"}.')
        try:
            feedback, new = feedback_record(
                prediction=self._prediction(prediction_id), key=self.key, label_name=label
            )
        except UnknownLabel as unknown:
            raise ParseError(str(unknown)) from unknown
        except FeedbackConflict as conflict:
            raise Conflict(str(conflict)) from conflict
        return Response(
            {"prediction": str(feedback.prediction_id), "label": label}, status=201 if new else 200
        )

    def _prediction(self, text: str) -> Prediction:
        try:
            found = prediction_find(project_id=self.key.project_id, pk=uuid.UUID(text))
        except ValueError:
            found = None
        except NotYetKnown as unknown:
            raise ComeBack("This prediction is not known yet. Try again in a second.") from unknown
        if found is None:
            raise NotFound(f"There is no prediction '{text[:40]}' in this project.")
        return found
