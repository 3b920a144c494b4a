"""Rollouts, for the programs of a project's members: managers begin and end them, reviewers look on."""

from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED
from rest_framework.views import APIView

from labelling.api.requests import checked, sender
from labelling.models import Membership
from labelling.selectors import project_for
from learning.models import ModelVersion
from serving.api.base import Conflict
from serving.api.questions import question_named
from serving.core.modes import MODES, Mode
from serving.models import Decision, Rollout
from serving.selectors import held_up, rollout_decisions, rollout_points, rollouts_of, split_now, trouble_of
from serving.services.rollouts import ACTS, RolloutRefused, rollout_act, rollout_audit, rollout_create


class RolloutRequest(serializers.Serializer[dict[str, Any]]):
    mode = serializers.CharField(help_text="One of `modes` of the list.")
    challenger = serializers.IntegerField(min_value=1, help_text="The version to try, by its number.")
    question = serializers.CharField(
        required=False, help_text="By its short name; the first one if not given."
    )
    config = serializers.DictField(required=False, help_text="The mode's settings that are not the defaults.")
    audit_share = serializers.FloatField(required=False, min_value=0, max_value=1)
    maturity_seconds = serializers.IntegerField(required=False, min_value=0, max_value=10**8)
    start = serializers.BooleanField(default=False, help_text="Start it at once; else it is a draft.")


class RolloutSerializer(serializers.Serializer[dict[str, Any]]):
    id = serializers.IntegerField()
    mode = serializers.CharField()
    question = serializers.CharField()
    state = serializers.ChoiceField(choices=Rollout.State.choices)
    config = serializers.DictField()
    audit_share = serializers.FloatField()
    maturity_seconds = serializers.IntegerField()
    phase = serializers.IntegerField()
    arms = serializers.DictField(child=serializers.IntegerField(), help_text="Version's number by arm.")
    split = serializers.DictField(help_text="How requests go now; no shares once it is over.")
    waits_for = serializers.CharField()
    held_up = serializers.CharField(help_text="Why the labels it waits for do not come; mostly empty.")
    figures = serializers.ListField(child=serializers.DictField())
    error = serializers.CharField(help_text="Why it cannot run, or why the last look failed; mostly empty.")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class DecisionSerializer(serializers.Serializer[dict[str, Any]]):
    action = serializers.CharField()
    rule = serializers.CharField(help_text="The rule's name, or 'person'.")
    reason = serializers.CharField()
    actor = serializers.CharField(allow_null=True)
    evidence = serializers.DictField(help_text="With it, the decision can be made again.")
    created_at = serializers.DateTimeField()


class RolloutWholeSerializer(RolloutSerializer):
    decisions = DecisionSerializer(many=True)


class ModeSerializer(serializers.Serializer[dict[str, Any]]):
    name = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField()
    settings = serializers.ListField(child=serializers.DictField())


class RolloutsSerializer(serializers.Serializer[dict[str, Any]]):
    rollouts = RolloutSerializer(many=True)
    modes = ModeSerializer(many=True)


class ActRequest(serializers.Serializer[dict[str, Any]]):
    reason = serializers.CharField(required=False, max_length=300)


class ChangeRequest(serializers.Serializer[dict[str, Any]]):
    audit_share = serializers.FloatField(
        min_value=0, max_value=1, help_text="Of the images sent from now on: asked of annotators, blind."
    )
    reason = serializers.CharField(required=False, max_length=300)


class PointsSerializer(serializers.Serializer[dict[str, Any]]):
    points = serializers.ListField(child=serializers.DictField())


class RolloutsApiView(APIView):
    @extend_schema(operation_id="projects_rollouts_list", responses=RolloutsSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """All rollouts, the newest first, and the modes there are."""
        project = project_for(sender(request), slug, Membership.Role.REVIEWER)
        return Response(
            {
                "rollouts": [_as_json(one) for one in rollouts_of(project)],
                "modes": [_mode_json(mode) for mode in MODES.values()],
            }
        )

    @extend_schema(request=RolloutRequest, responses={201: RolloutSerializer})
    def post(self, request: Request, slug: str) -> Response:
        """Try a version against the champion."""
        user = sender(request)
        project = project_for(user, slug, Membership.Role.MANAGER)
        sent = checked(RolloutRequest(data=request.data))
        start = sent.pop("start")
        question = question_named(project, sent.pop("question", None))
        number = sent.pop("challenger")
        challenger = ModelVersion.objects.filter(project=project, number=number).first()
        if challenger is None:
            raise ParseError(f"challenger: {project.name} has no version {number}.")
        try:
            rollout = rollout_create(question=question, challenger=challenger, user=user, start=start, **sent)
        except RolloutRefused as refusal:
            raise ParseError(str(refusal)) from refusal
        return Response(_as_json(rollout), status=HTTP_201_CREATED)


class RolloutApiView(APIView):
    @extend_schema(operation_id="projects_rollouts_retrieve", responses=RolloutWholeSerializer)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        """One rollout, with its decisions, the newest first."""
        rollout = _rollout(request, slug, pk, Membership.Role.REVIEWER)
        decisions = [
            {
                "action": one.action,
                "rule": one.rule,
                "reason": one.reason,
                "actor": one.actor.get_username() if one.actor else None,
                "evidence": _told(one, rollout),
                "created_at": one.created_at,
            }
            for one in rollout_decisions(rollout)
        ]
        return Response({**_as_json(rollout), "decisions": decisions})

    @extend_schema(
        operation_id="projects_rollouts_change", request=ChangeRequest, responses=RolloutSerializer
    )
    def patch(self, request: Request, slug: str, pk: int) -> Response:
        """Change the audited share, also while it runs. 409 once it is over."""
        rollout = _rollout(request, slug, pk, Membership.Role.MANAGER)
        sent = checked(ChangeRequest(data=request.data))
        try:
            rollout_audit(rollout=rollout, share=sent.pop("audit_share"), actor=sender(request), **sent)
        except RolloutRefused as refusal:
            raise Conflict(str(refusal)) from refusal
        rollout.refresh_from_db()
        return Response(_as_json(rollout))


class RolloutPointsApiView(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("after", int, description="Only points after this one's id.")],
        responses=PointsSerializer,
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        """The figures over time, the oldest first."""
        rollout = _rollout(request, slug, pk, Membership.Role.REVIEWER)
        after = request.GET.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) < 19):
            raise ParseError(f"after: '{after[:20]}' is not a point's id.")
        points = [
            {"id": one.pk, "phase": one.phase, "at": one.created_at, "figures": one.figures}
            for one in rollout_points(rollout, int(after))
        ]
        return Response({"points": points})


class RolloutActApiView(APIView):
    @extend_schema(
        operation_id="projects_rollouts_act",
        parameters=[OpenApiParameter("act", str, OpenApiParameter.PATH, enum=list(ACTS))],
        request=ActRequest,
        responses=RolloutSerializer,
    )
    def post(self, request: Request, slug: str, pk: int, act: str) -> Response:
        """Start, pause, resume, promote, abort or discard it. 409 if its state does not allow that."""
        rollout = _rollout(request, slug, pk, Membership.Role.MANAGER)
        if act not in ACTS:
            raise Http404(f"There is no act '{act[:40]}'; there are {', '.join(ACTS)}.")
        sent = checked(ActRequest(data=request.data))
        try:
            rollout_act(rollout=rollout, act=act, actor=sender(request), **sent)
        except RolloutRefused as refusal:
            raise Conflict(str(refusal)) from refusal
        rollout.refresh_from_db()
        return Response(_as_json(rollout))


def _rollout(request: Request, slug: str, pk: int, role: str) -> Rollout:
    project = project_for(sender(request), slug, role)
    return get_object_or_404(Rollout.objects.select_related("question"), project=project, pk=pk)


def _told(decision: Decision, rollout: Rollout) -> dict[str, Any]:
    """Whoever knows the salt can choose the arm that answers them: it is told once the rollout is over."""
    return {key: value for key, value in decision.evidence.items() if rollout.over or key != "salt"}


def _as_json(rollout: Rollout) -> dict[str, Any]:
    named = ("id", "mode", "state", "config", "audit_share", "maturity_seconds", "phase", "waits_for")
    more = ("figures", "created_at", "started_at", "ended_at")
    arms = rollout.arms.select_related("model_version")
    return {
        **{name: getattr(rollout, name) for name in named + more},
        "question": rollout.question.key,
        "arms": {arm.name: arm.model_version.number for arm in arms},
        "split": split_now(rollout),
        "held_up": held_up(rollout),
        "error": trouble_of(rollout) or rollout.error,
    }


def _mode_json(mode: Mode[Any, Any]) -> dict[str, Any]:
    settings = [vars(one) for one in mode.settings]
    return {"name": mode.name, "title": mode.title, "summary": mode.summary, "settings": settings}
