"""Augmentation, for managers' programs: search for a policy, follow it, keep, export and import policies."""

from typing import Any

from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_200_OK, HTTP_201_CREATED, HTTP_204_NO_CONTENT
from rest_framework.views import APIView

from labelling.api.bodies import JsonBody
from labelling.api.requests import ExactSerializer, checked, sender
from labelling.models import Membership, Project
from labelling.selectors import project_for
from learning.core.policy_search import SEARCHES
from learning.core.policy_search.config import SearchConfig
from learning.models import AugmentationPolicy, PolicySearch
from learning.policy_selectors import (
    augmentations_of,
    newest_policy_search,
    policies_of,
    policy_of,
    rewards_of,
    search_progress,
)
from learning.services.policies import policy_delete, policy_export, policy_import
from learning.services.policy_search import (
    policy_search_end,
    policy_search_pause,
    policy_search_request,
    policy_search_resume,
)

ACTS = {"pause": policy_search_pause, "resume": policy_search_resume}


class BeginSerializer(ExactSerializer):
    config = serializers.DictField(required=False, help_text="Any part of what `usual` shows; `seed`.")
    minutes = serializers.FloatField(
        required=False, allow_null=True, help_text="No further proposals after so many."
    )


class ActSerializer(ExactSerializer):
    action = serializers.ChoiceField(
        choices=list(ACTS),
        error_messages={"invalid_choice": f"There is no such action; there are: {', '.join(ACTS)}."},
    )


class SearchSerializer(serializers.Serializer[dict[str, Any]]):
    state = serializers.CharField()
    stage = serializers.CharField()
    error = serializers.CharField()
    note = serializers.CharField()
    config = serializers.DictField()
    minutes = serializers.FloatField(allow_null=True)
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    diverged = serializers.IntegerField()
    best = serializers.FloatField(allow_null=True)
    seconds_left = serializers.FloatField(allow_null=True)
    left_out = serializers.ListField(child=serializers.CharField())
    verdict = serializers.DictField()
    rewards = serializers.ListField(child=serializers.DictField())


class AugmentationSerializer(serializers.Serializer[dict[str, Any]]):
    newest = SearchSerializer(allow_null=True)
    usual = serializers.DictField(
        help_text="What a search is begun with otherwise; its seed is drawn. A child learns half "
        "of `child.labels` labels, and looks at `child.looked_at` pictures in all; those of the finals learn "
        "half of all labels, up to ten times as many, and look as often at each."
    )
    searches = serializers.ListField(child=serializers.DictField())
    augmentations = serializers.ListField(child=serializers.DictField())


class PolicySerializer(serializers.Serializer[dict[str, Any]]):
    format = serializers.CharField()
    name = serializers.CharField()
    policy = serializers.DictField()
    digest = serializers.CharField(required=False)
    evidence = serializers.DictField(required=False)


class AugmentationApiView(APIView):
    parser_classes = [JsonBody]

    @extend_schema(responses=AugmentationSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """The newest search with its rewards, what one can be begun with, and what can be chosen."""
        return Response(_as_json(_project(request, slug)))

    @extend_schema(request=BeginSerializer, responses={201: AugmentationSerializer})
    def post(self, request: Request, slug: str) -> Response:
        """Begin a search. What it finds is used if it does better than none and than what is in use."""
        project = _project(request, slug)
        wanted = checked(BeginSerializer(data=request.data))
        try:
            policy_search_request(
                project=project, config=wanted.get("config", {}), minutes=wanted.get("minutes")
            )
        except ValidationError as error:
            raise ParseError(error.messages[0]) from error
        return Response(_as_json(project), HTTP_201_CREATED)

    @extend_schema(request=ActSerializer, responses=AugmentationSerializer)
    def patch(self, request: Request, slug: str) -> Response:
        """Pause what is under way, or resume it; nothing happens if nothing is."""
        project = _project(request, slug)
        act = ACTS[checked(ActSerializer(data=request.data))["action"]]
        if search := newest_policy_search(project):
            act(search=search)
        return Response(_as_json(project))

    @extend_schema(responses=AugmentationSerializer)
    def delete(self, request: Request, slug: str) -> Response:
        """End what is under way; its trials stay."""
        project = _project(request, slug)
        if search := newest_policy_search(project):
            policy_search_end(search=search)
        return Response(_as_json(project))


class PoliciesApiView(APIView):
    parser_classes = [JsonBody]

    @extend_schema(responses=PolicySerializer(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """The policies that the project keeps, newest first."""
        return Response([_policy(one) for one in policies_of(_project(request, slug))])

    @extend_schema(request=PolicySerializer, responses={200: PolicySerializer, 201: PolicySerializer})
    def post(self, request: Request, slug: str) -> Response:
        """Import one that was exported. 200 for one that is kept already: it stays under its name."""
        project = _project(request, slug)
        try:
            kept, new = policy_import(project=project, data=request.data)
        except ValidationError as error:
            raise ParseError(error.messages[0]) from error
        return Response(_policy(kept), HTTP_201_CREATED if new else HTTP_200_OK)


class PolicyApiView(APIView):
    parser_classes = [JsonBody]

    @extend_schema(responses=PolicySerializer)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        """Export one. To use it, set the learner's `augmentation` to its name."""
        return Response(_policy(policy_of(_project(request, slug), pk)))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        """Delete one that is not in use."""
        kept = policy_of(_project(request, slug), pk)
        try:
            policy_delete(policy=kept)
        except ValidationError as error:
            raise ParseError(error.messages[0]) from error
        return Response(status=HTTP_204_NO_CONTENT)


def _project(request: Request, slug: str) -> Project:
    return project_for(sender(request), slug, Membership.Role.MANAGER)


def _policy(kept: AugmentationPolicy) -> dict[str, object]:
    return {"id": kept.pk, **policy_export(policy=kept)}


def _as_json(project: Project) -> dict[str, object]:
    search = newest_policy_search(project)
    return {
        "newest": _search(search) if search else None,
        "usual": _usual(),
        "searches": [
            {"name": one.name, "title": one.title, "summary": one.summary} for one in SEARCHES.values()
        ],
        "augmentations": [
            {"name": name, "title": title, "summary": summary}
            for name, (title, summary) in augmentations_of(project).items()
        ],
    }


def _usual() -> dict[str, Any]:
    """Whoever sends it back begins the same search as without it."""
    usual = SearchConfig().as_json()
    del usual["rivals"], usual["seed"]  # those are given, this is drawn
    return usual


def _search(search: PolicySearch) -> dict[str, object]:
    progress = search_progress(search)
    fields = ("state", "stage", "error", "note", "config", "minutes", "left_out", "verdict")
    return {
        **{name: getattr(search, name) for name in fields},
        **vars(progress),
        "rewards": rewards_of(search),
    }
