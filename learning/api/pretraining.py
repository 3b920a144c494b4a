"""Learning features, for managers' programs: what can be begun, what is under way, what came out."""

from typing import Any

from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED
from rest_framework.views import APIView

from labelling.api.bodies import JsonBody
from labelling.api.requests import ExactSerializer, checked, sender
from labelling.models import Membership, Project
from labelling.selectors import project_for
from learning.core.pretraining import PRETRAININGS
from learning.models import PretrainingRun
from learning.selectors import newest_pretraining
from learning.services.lessons import lessons_lacking
from learning.services.pretraining import pretraining_end, pretraining_request


class WaySerializer(serializers.Serializer[dict[str, Any]]):
    name = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField()
    lacking = serializers.CharField(help_text="What it needs and the project has not yet; empty if nothing.")


class PretrainingRunSerializer(ExactSerializer):
    method = serializers.CharField()
    minutes = serializers.FloatField(
        required=False, allow_null=True, help_text="About how long all of it may take, comparing included."
    )
    batch = serializers.IntegerField(
        required=False, allow_null=True, help_text="Instead of the one that is measured."
    )
    batches = serializers.DictField(read_only=True, help_text="What was measured, for each way.")
    state = serializers.CharField(read_only=True)
    stage = serializers.CharField(read_only=True)
    progress = serializers.FloatField(read_only=True)
    backbone = serializers.CharField(read_only=True)
    note = serializers.CharField(read_only=True)
    error = serializers.CharField(read_only=True)


class PretrainingSerializer(serializers.Serializer[dict[str, Any]]):
    newest = PretrainingRunSerializer(allow_null=True)
    ways = WaySerializer(many=True)


class PretrainingApiView(APIView):
    parser_classes = [JsonBody]

    @extend_schema(responses=PretrainingSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """The newest run, and the ways there are."""
        return Response(_as_json(_project(request, slug)))

    @extend_schema(request=PretrainingRunSerializer, responses={201: PretrainingSerializer})
    def post(self, request: Request, slug: str) -> Response:
        """Begin. What comes out is used if it answers more labels that it has not learned from."""
        project = _project(request, slug)
        wanted = checked(PretrainingRunSerializer(data=request.data))
        try:
            pretraining_request(project=project, **wanted)
        except ValidationError as error:
            raise ParseError(error.messages[0]) from error
        return Response(_as_json(project), HTTP_201_CREATED)

    @extend_schema(responses=PretrainingSerializer)
    def delete(self, request: Request, slug: str) -> Response:
        """End what is under way; nothing happens if nothing is."""
        project = _project(request, slug)
        if run := newest_pretraining(project):
            pretraining_end(run=run)
        return Response(_as_json(project))


def _project(request: Request, slug: str) -> Project:
    return project_for(sender(request), slug, Membership.Role.MANAGER)


def _as_json(project: Project) -> dict[str, object]:
    run = newest_pretraining(project)
    return {
        "newest": _run(run) if run else None,
        "ways": [
            {
                "name": way.name,
                "title": way.title,
                "summary": way.summary,
                "lacking": lessons_lacking(project=project, way=way),
            }
            for way in PRETRAININGS.values()
        ],
    }


def _run(run: PretrainingRun) -> dict[str, object]:
    fields = ("method", "state", "stage", "progress", "backbone", "note", "error")
    return {
        **{name: getattr(run, name) for name in fields},
        "minutes": run.config.get("minutes"),
        "batch": run.config.get("settings", {}).get("batch"),
        "batches": run.config.get("batches", {}),
    }
