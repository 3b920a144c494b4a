"""The training of a project's learner, for its managers' programs: what is under way, and to end it."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labelling.api.bodies import JsonBody
from learning.api.learner import QUESTION, learner_asked
from learning.models import Learner, TrainingRun
from learning.services.runs import trainings_end


class TrainingSerializer(serializers.Serializer[dict[str, Any]]):
    state = serializers.CharField(help_text=f"One of none, {', '.join(TrainingRun.State.values)}.")
    stage = serializers.CharField()
    error = serializers.CharField()
    created_at = serializers.DateTimeField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField(allow_null=True, help_text="The number of the model it made.")


class TrainingApiView(APIView):
    parser_classes = [JsonBody]

    @extend_schema(parameters=[QUESTION], responses=TrainingSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """The newest training, over or not; its state is "none" before there was one."""
        return Response(_as_json(learner_asked(request, slug)))

    @extend_schema(parameters=[QUESTION], responses=TrainingSerializer)
    def delete(self, request: Request, slug: str) -> Response:
        """End what is under way, of all questions; nothing happens if nothing is. Newer labels begin anew."""
        learner = learner_asked(request, slug)
        trainings_end(project=learner.project)
        return Response(_as_json(learner))


def _as_json(learner: Learner) -> dict[str, object]:
    run = learner.runs.select_related("model_version").order_by("-id").first()
    if run is None:
        times = dict.fromkeys(("created_at", "started_at", "finished_at"))
        return {"state": "none", "stage": "", "error": "", **times, "version": None}
    names = ("state", "stage", "error", "created_at", "started_at", "finished_at")
    version = getattr(run, "model_version", None)
    return {**{name: getattr(run, name) for name in names}, "version": version.number if version else None}
