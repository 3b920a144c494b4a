"""Labels of other tools, for managers' programs: sent as a file, stored by a worker, each bad row named."""

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED
from rest_framework.views import APIView

from labelling.api.requests import sender
from labelling.models import ImportJob, Membership
from labelling.selectors import project_for
from labelling.services.uploads import UploadRefused, labels_upload_create

REFUSALS = 1_000  # in an answer; the page has all of them


class RefusedRowSerializer(serializers.Serializer[dict[str, Any]]):
    row = serializers.IntegerField()
    name = serializers.CharField()
    reason = serializers.CharField()


class ImportSerializer(serializers.Serializer[dict[str, Any]]):
    id = serializers.IntegerField()
    kind = serializers.CharField()
    state = serializers.CharField(help_text="queued, running, done or failed.")
    total = serializers.IntegerField(allow_null=True, help_text="Rows of the file; null until it is read.")
    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField(help_text="Rows that said what was known.")
    refused = serializers.IntegerField()
    error = serializers.CharField(help_text="Why nothing more of it is taken; empty if all went well.")
    refusals = RefusedRowSerializer(many=True, help_text=f"At most {REFUSALS:,}.")


class LabelFileSerializer(serializers.Serializer[dict[str, Any]]):
    file = serializers.FileField(
        help_text="CSV with a header, or JSON lines (.jsonl): image or sha256, label, and question where "
        "there are several. As the export writes them."
    )


class LabelImportsView(APIView):
    parser_classes = [MultiPartParser]

    @extend_schema(request=LabelFileSerializer, responses={201: ImportSerializer})
    def post(self, request: Request, slug: str) -> Response:
        """Send labels of images that are in the project; a worker stores them. What people said stays."""
        user = sender(request)
        project = project_for(user, slug, Membership.Role.MANAGER)
        file = request.FILES.get("file")
        if not isinstance(file, UploadedFile):
            raise ParseError("file: send the labels as a file of that name, in a multipart form.")
        try:
            job = labels_upload_create(project=project, file=file, user=user)
        except UploadRefused as reason:
            raise ParseError(f"file: {reason}") from None
        return Response(_as_json(job), status=HTTP_201_CREATED)


class ImportApiView(APIView):
    @extend_schema(responses=ImportSerializer)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        """How far an import is, and what it refused."""
        project = project_for(sender(request), slug, Membership.Role.MANAGER)
        return Response(_as_json(get_object_or_404(ImportJob, project=project, pk=pk)))


def _as_json(job: ImportJob) -> dict[str, Any]:
    fields = ("id", "kind", "state", "total", "accepted", "duplicates", "refused", "error")
    refusals = job.refusals.order_by("row").values("row", "name", "reason")[:REFUSALS]
    return {**{field: getattr(job, field) for field in fields}, "refusals": list(refusals)}
