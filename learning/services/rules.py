"""Rules: written, changed and deleted by managers; each change asks for a check and for a new training."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from learning.models import Learner, Rule, RuleCheck
from learning.services.rule_contents import RuleContent

MOST_RULES = 50


def rule_create(*, learner: Learner, content: RuleContent) -> Rule:
    """Raises ValidationError, with one sentence, for a name that is taken or one rule too many."""
    if Rule.objects.filter(question=learner.question_id).count() >= MOST_RULES:
        raise ValidationError(
            f"There are {MOST_RULES} rules, which is as many as there can be: delete one first."
        )
    with transaction.atomic():
        try:
            with transaction.atomic():
                rule = Rule.objects.create(
                    project_id=learner.project_id, question_id=learner.question_id, **content.columns()
                )
        except IntegrityError:
            raise _taken(content.name) from None
        _changed(learner)
    return rule


def rule_update(
    *, learner: Learner, rule: Rule, content: RuleContent | None = None, enabled: bool | None = None
) -> Rule:
    """Write the rule anew, or switch it on or off. Raises ValidationError for a name that is taken."""
    columns: dict[str, Any] = content.columns() if content else {}
    if enabled is not None:
        columns["enabled"] = enabled
    with transaction.atomic():
        try:
            with transaction.atomic():
                Rule.objects.filter(pk=rule.pk).update(**columns)
        except IntegrityError:
            raise _taken(columns["name"]) from None
        _changed(learner)
    rule.refresh_from_db()
    return rule


def rule_delete(*, learner: Learner, rule: Rule) -> None:
    with transaction.atomic():
        Rule.objects.filter(pk=rule.pk).delete()
        _changed(learner)


def _taken(name: str) -> ValidationError:
    return ValidationError(f"Rule '{name}': there is another rule of this name; give it another.")


def _changed(learner: Learner) -> None:
    """Ask for what must follow; call it in the transaction of the change."""
    # What a waiting check would find out, the new one finds out too.
    waiting = RuleCheck.objects.filter(learner=learner, draft__isnull=True, state=RuleCheck.State.QUEUED)
    waiting.delete()
    RuleCheck.objects.create(project_id=learner.project_id, learner=learner)
    Learner.objects.filter(pk=learner.pk).update(requested_at=timezone.now())
