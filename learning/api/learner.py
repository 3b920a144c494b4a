"""The recipe of a project's learner, for its managers' programs."""

from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labelling.api.bodies import JsonBody
from labelling.api.requests import checked, sender
from labelling.models import Membership
from labelling.selectors import project_for
from learning.core.methods import Method
from learning.core.strategies import STRATEGIES, Strategy
from learning.models import Learner
from learning.policy_selectors import augmentations_of
from learning.selectors import backbones_of, learner_of, learners_of, methods_offered
from learning.services.learners import MEGABYTES, SECONDS, learner_update

NOT_YET = "The learner is not set up yet: a worker does it within a second. Ask again then."
QUESTION = OpenApiParameter(
    "question", str, description="The key of one of the project's questions; the first one's if left out."
)
CHANGED = (
    *("enabled", "strategy", "method", "backbone", "augmentation", "retrain_after", "target"),
    *("training_seconds", "training_megabytes"),
)


class ChoiceSerializer(serializers.Serializer[dict[str, Any]]):
    name = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField()
    needs = serializers.ListField(child=serializers.CharField())


class StrategySerializer(ChoiceSerializer):
    cost = serializers.CharField(
        help_text="How the work of a ranking grows with N items, K labels, D features and C models."
    )


class LearnerSerializer(serializers.Serializer[dict[str, Any]]):
    question = serializers.CharField(read_only=True)
    questions = serializers.ListField(child=serializers.CharField(), read_only=True)
    enabled = serializers.BooleanField()
    strategy = serializers.CharField()
    method = serializers.CharField()
    retrain_after = serializers.IntegerField(min_value=1)
    target = serializers.FloatField(min_value=0.5, max_value=0.999)
    training_seconds = serializers.IntegerField(min_value=SECONDS[0], max_value=SECONDS[1])
    training_megabytes = serializers.IntegerField(min_value=MEGABYTES[0], max_value=MEGABYTES[1])
    outlook = serializers.JSONField(read_only=True)
    backbone = serializers.CharField()
    augmentation = serializers.CharField()
    augmentations = serializers.ListField(child=serializers.CharField(), read_only=True)
    backbones = serializers.ListField(child=serializers.CharField(), read_only=True)
    strategies = StrategySerializer(many=True, read_only=True)
    methods = ChoiceSerializer(many=True, read_only=True)


class LearnerApiView(APIView):
    parser_classes = [JsonBody]

    @extend_schema(parameters=[QUESTION], responses=LearnerSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """What is learned and asked, and what else could be; the outlook is the question's own."""
        return Response(_as_json(learner_asked(request, slug)))

    @extend_schema(
        parameters=[QUESTION], request=LearnerSerializer(partial=True), responses=LearnerSerializer
    )
    def patch(self, request: Request, slug: str) -> Response:
        """Change what is not read-only, for all questions, which share it; a new ranking follows."""
        learner = learner_asked(request, slug)
        changes = checked(LearnerSerializer(data=request.data, partial=True))
        try:
            learner_update(learner=learner, **changes)
        except ValidationError as error:
            raise ParseError(error.messages[0]) from error
        return Response(_as_json(learner))


def learner_asked(request: Request, slug: str) -> Learner:
    """The learner of the question that `?question=` names, or of the first one, for a manager."""
    project = project_for(sender(request), slug, Membership.Role.MANAGER)
    key = request.query_params.get("question", "")
    learner = learner_of(project, key)
    if learner is None and key and project.questions.exists() and learner_of(project) is not None:
        known = ", ".join(project.questions.order_by("position", "id").values_list("key", flat=True))
        raise Http404(f"There is no question '{key[:40]}' with a learner; there are: {known}.")
    if learner is None:
        raise Http404(NOT_YET)
    return learner


def _as_json(learner: Learner) -> dict[str, object]:
    return {
        **{name: getattr(learner, name) for name in CHANGED},
        "question": learner.question.key,
        "questions": [one.question.key for one in learners_of(learner.project)],
        "outlook": learner.outlook,
        "augmentations": list(augmentations_of(learner.project)),
        "backbones": list(backbones_of(learner.project)),
        "strategies": [{**_choice(one), "cost": one.cost} for one in STRATEGIES.values()],
        "methods": [_choice(one) for one in methods_offered(learner).values()],
    }


def _choice(one: Strategy | Method) -> dict[str, object]:
    return {"name": one.name, "title": one.title, "summary": one.summary, "needs": sorted(one.needs)}
