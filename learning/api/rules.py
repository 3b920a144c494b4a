"""Rules, for managers' programs: what is written, and what a worker last found that they do."""

from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT
from rest_framework.views import APIView

from labelling.api.bodies import JsonBody
from labelling.api.requests import checked, sender
from labelling.models import Membership
from labelling.selectors import project_for
from learning.api.learner import NOT_YET, QUESTION, learner_asked
from learning.models import Learner, Rule
from learning.selectors import learner_of, metadata_fields, rule_check_of, rules_of
from learning.services.rule_contents import (
    RuleContent,
    content_of_conditions,
    content_of_rule,
    content_of_table,
)
from learning.services.rules import rule_create, rule_delete, rule_update

WRITTEN = ("name", "label", "when", "table")


class RuleSerializer(serializers.Serializer[dict[str, Any]]):
    id = serializers.IntegerField(read_only=True)
    name = serializers.CharField(max_length=100)
    enabled = serializers.BooleanField(default=True)
    label = serializers.CharField(  # type: ignore[assignment]  # DRF's own `label` is a title; a client means the class
        required=False, allow_null=True, help_text="What it votes for, by name; not for a table."
    )
    when = serializers.ListField(
        child=serializers.JSONField(),
        required=False,
        help_text="Conditions, which must all hold: {kind: metadata, field, operator, value}, "
        "{kind: pattern, field, pattern}, {kind: near, examples, distance}, {kind: score, label, at_least}.",
    )
    table = serializers.DictField(
        child=serializers.CharField(),
        required=False,
        write_only=True,
        help_text="Instead of label and conditions: image's name or digest -> label's name.",
    )
    question = serializers.CharField(read_only=True, help_text="The key of the question that it answers.")
    table_rows = serializers.IntegerField(read_only=True)
    found = serializers.JSONField(
        read_only=True,
        help_text="Coverage, overlap, conflict and accuracies, by the last check; null before.",
    )


class RulesSerializer(serializers.Serializer[dict[str, Any]]):
    rules = RuleSerializer(many=True)
    fields_known = serializers.ListField(
        child=serializers.CharField(), help_text="What a condition can name."
    )


class RulesApiView(APIView):
    parser_classes = [JsonBody]

    @extend_schema(operation_id="projects_rules_list", parameters=[QUESTION], responses=RulesSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Every rule of a question, and what it does."""
        learner = learner_asked(request, slug)
        return Response(
            {
                "rules": [_as_json(learner, rule) for rule in rules_of(learner)],
                "fields_known": metadata_fields(learner.project),
            }
        )

    @extend_schema(parameters=[QUESTION], request=RuleSerializer, responses={201: RuleSerializer})
    def post(self, request: Request, slug: str) -> Response:
        """Write a rule; it is checked, and a training follows."""
        learner = learner_asked(request, slug)
        sent = checked(RuleSerializer(data=request.data))
        try:
            rule = rule_create(learner=learner, content=_content(learner, sent))
            if not sent["enabled"]:
                rule_update(learner=learner, rule=rule, enabled=False)
        except ValidationError as error:
            raise ParseError(error.messages[0]) from error
        return Response(_as_json(learner, rule), status=HTTP_201_CREATED)


class RuleApiView(APIView):
    parser_classes = [JsonBody]

    @extend_schema(responses=RuleSerializer)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        return Response(_as_json(*_rule(request, slug, pk)))

    @extend_schema(request=RuleSerializer(partial=True), responses=RuleSerializer)
    def patch(self, request: Request, slug: str, pk: int) -> Response:
        """Change any of the fields; what is left out stays."""
        learner, rule = _rule(request, slug, pk)
        sent = checked(RuleSerializer(data=request.data, partial=True))
        try:
            content = _changed(learner, rule, sent) if sent.keys() & set(WRITTEN) else None
            rule_update(learner=learner, rule=rule, content=content, enabled=sent.get("enabled"))
        except ValidationError as error:
            raise ParseError(error.messages[0]) from error
        return Response(_as_json(learner, rule))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        learner, rule = _rule(request, slug, pk)
        rule_delete(learner=learner, rule=rule)
        return Response(status=HTTP_204_NO_CONTENT)


def _content(learner: Learner, sent: dict[str, Any]) -> RuleContent:
    name = sent["name"]
    if "table" in sent:
        if sent.get("when") or sent.get("label"):
            raise ParseError(f"Rule '{name}': give either a table, or a label and conditions.")
        return content_of_table(learner=learner, name=name, table=sent["table"])
    when = sent.get("when", [])
    if not all(isinstance(one, dict) for one in when):
        raise ParseError(f"Rule '{name}': each condition is an object with a kind and its fields.")
    return content_of_conditions(learner=learner, name=name, label=sent.get("label") or "", when=when)


def _changed(learner: Learner, rule: Rule, sent: dict[str, Any]) -> RuleContent:
    if rule.table and not sent.keys() & {"table", "when", "label"}:
        return RuleContent(**{**content_of_rule(rule).columns(), "name": sent["name"]})
    there = {} if rule.table or "table" in sent else _as_json(learner, rule)
    written: dict[str, Any] = {name: there[name] for name in ("label", "when") if name in there}
    return _content(learner, {"name": rule.name, **written, **sent})


def _as_json(learner: Learner, rule: Rule) -> dict[str, Any]:
    names = {label.pk: label.name for label in learner.question.labels.all()}
    check, _ = rule_check_of(learner)
    return {
        "id": rule.pk,
        "name": rule.name,
        "question": learner.question.key,
        "enabled": rule.enabled,
        "label": names.get(rule.label_id or 0),
        "when": [{**one, "label": names.get(one["label"])} if "label" in one else one for one in rule.when],
        "table_rows": rule.table_rows,
        "found": check.result["rows"].get(str(rule.pk)) if check and rule.enabled else None,
    }


def _rule(request: Request, slug: str, pk: int) -> tuple[Learner, Rule]:
    """The rule, and the learner of the question that it answers."""
    project = project_for(sender(request), slug, Membership.Role.MANAGER)
    rule = get_object_or_404(Rule.objects.select_related("label", "question"), project=project, pk=pk)
    learner = learner_of(project, rule.question.key)
    if learner is None:
        raise Http404(NOT_YET)
    return learner, rule
