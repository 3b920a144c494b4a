"""What answers a project's clients and what is kept of what they send, for the programs of its members."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labelling.api.requests import checked, sender
from labelling.models import Membership, Project
from labelling.selectors import project_for
from learning.models import ModelVersion
from serving.api.questions import question_named
from serving.selectors import deployments_of, traffic_policy
from serving.services.deployments import deployment_automatic_set, deployment_promote
from serving.services.traffic import traffic_policy_set


class AnsweringSerializer(serializers.Serializer[dict[str, Any]]):
    question = serializers.CharField(help_text="By its short name.")
    champion = serializers.IntegerField(allow_null=True, help_text="The number of the version that answers.")
    automatic = serializers.BooleanField(help_text="Whether a better version is promoted by itself.")


class TrafficSerializer(serializers.Serializer[dict[str, Any]]):
    keep_images = serializers.BooleanField(
        required=False, help_text="Images drawn from live traffic become part of the project."
    )
    keep_days = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=36_500,
        help_text="Predictions and feedback are deleted after so many days; null: never.",
    )
    audit_share = serializers.FloatField(
        required=False,
        min_value=0,
        max_value=1,
        help_text="Of the images sent, where some are kept and no rollout runs: asked of annotators, blind.",
    )


class DeploymentSerializer(TrafficSerializer):
    questions = AnsweringSerializer(many=True, help_text="Those that have a model.")


class PromotionRequest(serializers.Serializer[dict[str, Any]]):
    version = serializers.IntegerField(min_value=1, help_text="Its number; it answers its own question.")
    reason = serializers.CharField(required=False, max_length=300)


class AutomaticRequest(serializers.Serializer[dict[str, Any]]):
    automatic = serializers.BooleanField()
    question = serializers.CharField(
        required=False, help_text="By its short name; the first one if not given."
    )


class DeploymentApiView(APIView):
    @extend_schema(operation_id="projects_deployment_retrieve", responses=DeploymentSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """What answers, and what is kept."""
        return _answer(project_for(sender(request), slug, Membership.Role.REVIEWER))

    @extend_schema(
        operation_id="projects_deployment_change", request=TrafficSerializer, responses=DeploymentSerializer
    )
    def patch(self, request: Request, slug: str) -> Response:
        """Change what is kept of live traffic, and how much of it is audited."""
        project = project_for(sender(request), slug, Membership.Role.MANAGER)
        sent = checked(TrafficSerializer(data=request.data))
        policy = traffic_policy(project)
        before = {"keep_images": policy.keep_images, "keep_days": policy.keep_days}
        traffic_policy_set(project=project, **{**before, **sent})
        return _answer(project)


class PromotionApiView(APIView):
    @extend_schema(
        operation_id="projects_deployment_promote", request=PromotionRequest, responses=DeploymentSerializer
    )
    def post(self, request: Request, slug: str) -> Response:
        """Let a version answer, at once: a rollout of its question ends, and automatic promotion goes off."""
        user = sender(request)
        project = project_for(user, slug, Membership.Role.MANAGER)
        sent = checked(PromotionRequest(data=request.data))
        number = sent["version"]
        version = ModelVersion.objects.filter(project=project, number=number).first()
        if version is None:
            raise ParseError(f"version: {project.name} has no version {number}.")
        reason = sent.get("reason") or f"{user} chose version {number}."
        deployment_promote(project=project, version=version, actor=user, reason=reason)
        return _answer(project)


class AutomaticApiView(APIView):
    @extend_schema(
        operation_id="projects_deployment_automatic", request=AutomaticRequest, responses=DeploymentSerializer
    )
    def post(self, request: Request, slug: str) -> Response:
        """Let better versions be promoted by themselves, or not."""
        user = sender(request)
        project = project_for(user, slug, Membership.Role.MANAGER)
        sent = checked(AutomaticRequest(data=request.data))
        question = question_named(project, sent.get("question"))
        deployment_automatic_set(project=project, automatic=sent["automatic"], actor=user, question=question)
        return _answer(project)


def _answer(project: Project) -> Response:
    policy = traffic_policy(project)
    return Response(
        {
            "keep_images": policy.keep_images,
            "keep_days": policy.keep_days,
            "audit_share": policy.audit_share,
            "questions": [
                {
                    "question": one.question.key,
                    "champion": one.champion.number if one.champion else None,
                    "automatic": one.automatic,
                }
                for one in deployments_of(project)
            ],
        }
    )
