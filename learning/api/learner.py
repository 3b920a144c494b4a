"""The recipe of a project's learner, for its managers' programs."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labelling.api.requests import checked, sender
from labelling.models import Membership
from labelling.selectors import project_for
from learning.core.methods import Method
from learning.core.strategies import STRATEGIES, Strategy
from learning.models import Learner
from learning.policy_selectors import augmentations_of
from learning.selectors import backbones_of, learner_of, methods_offered
from learning.services.learners import learner_update

CHANGED = ("enabled", "strategy", "method", "backbone", "augmentation", "retrain_after", "target")


class ChoiceSerializer(serializers.Serializer[dict[str, Any]]):
    name = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField()
    needs = serializers.ListField(child=serializers.CharField())


class LearnerSerializer(serializers.Serializer[dict[str, Any]]):
    enabled = serializers.BooleanField()
    strategy = serializers.CharField()
    method = serializers.CharField()
    retrain_after = serializers.IntegerField(min_value=1)
    target = serializers.FloatField(min_value=0.5, max_value=0.999)
    outlook = serializers.JSONField(read_only=True)
    backbone = serializers.CharField()
    augmentation = serializers.CharField()
    augmentations = serializers.ListField(child=serializers.CharField(), read_only=True)
    backbones = serializers.ListField(child=serializers.CharField(), read_only=True)
    strategies = ChoiceSerializer(many=True, read_only=True)
    methods = ChoiceSerializer(many=True, read_only=True)


class LearnerApiView(APIView):
    @extend_schema(responses=LearnerSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """What is learned and asked, and what else could be."""
        return Response(_as_json(_learner(request, slug)))

    @extend_schema(request=LearnerSerializer(partial=True), responses=LearnerSerializer)
    def patch(self, request: Request, slug: str) -> Response:
        """Change any of the fields that are not read-only; a new ranking follows."""
        learner = _learner(request, slug)
        changes = checked(LearnerSerializer(data=request.data, partial=True))
        try:
            learner_update(learner=learner, **changes)
        except ValidationError as error:
            raise ParseError(error.messages[0]) from error
        return Response(_as_json(learner))


def _learner(request: Request, slug: str) -> Learner:
    learner = learner_of(project_for(sender(request), slug, Membership.Role.MANAGER))
    if learner is None:
        raise Http404("The learner is not set up yet: a worker does it within a second. Ask again then.")
    return learner


def _as_json(learner: Learner) -> dict[str, object]:
    return {
        **{name: getattr(learner, name) for name in CHANGED},
        "outlook": learner.outlook,
        "augmentations": list(augmentations_of(learner.project)),
        "backbones": list(backbones_of(learner.project)),
        "strategies": _catalogue(STRATEGIES.values()),
        "methods": _catalogue(methods_offered(learner).values()),
    }


def _catalogue(choices: Iterable[Strategy | Method]) -> list[dict[str, object]]:
    return [
        {"name": one.name, "title": one.title, "summary": one.summary, "needs": sorted(one.needs)}
        for one in choices
    ]
