"""float32 and int8 of a version, for programs."""

from dataclasses import asdict
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labelling.api.requests import sender
from labelling.selectors import project_for
from learning.models import ModelVersion
from learning.quantised_selectors import precisions_of


class FiguresSerializer(serializers.Serializer[dict[str, Any]]):
    precision = serializers.ChoiceField(["float32", "int8"])
    used = serializers.BooleanField(help_text="It answers where this version does.")
    accuracy = serializers.FloatField(allow_null=True, help_text="On the hold-out labels.")
    low = serializers.FloatField(allow_null=True, help_text="Of Wilson's 95% interval.")
    high = serializers.FloatField(allow_null=True)
    ms = serializers.DictField(
        child=serializers.FloatField(), help_text="An image, by how many come at once, on one processor."
    )
    bytes = serializers.IntegerField(help_text="Of the backbone.")


class PrecisionsSerializer(serializers.Serializer[dict[str, Any]]):
    figures = FiguresSerializer(many=True, help_text="Both, or none as long as there is no int8 export.")
    why = serializers.CharField(help_text="Which one answers and why, in a sentence.")
    labels = serializers.IntegerField(help_text="Of the hold-out, that both were measured on.")
    images = serializers.IntegerField(help_text="Of the pool, that int8 was calibrated on.")


class PrecisionApiView(APIView):
    @extend_schema(responses=PrecisionsSerializer)
    def get(self, request: Request, slug: str, number: int) -> Response:
        """What float32 and int8 are worth, and which of the two answers."""
        project = project_for(sender(request), slug)
        version = get_object_or_404(ModelVersion, project=project, number=number)
        return Response(asdict(precisions_of(version)))
