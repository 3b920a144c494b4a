"""Weak supervision: labelling functions as data, and what a worker found that they do."""

from django.db import models

from labelling.models import Label, Project, Question
from learning.models.learner import Learner
from learning.models.work import Work


class Rule(models.Model):
    """Votes `label` for the pool's items on which all conditions of `when` hold; or, with a `table`, for each
    item that the table names the label it says. On all others it is silent.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rules")
    question = models.ForeignKey(Question, on_delete=models.CASCADE, related_name="rules")
    name = models.CharField(max_length=100)
    enabled = models.BooleanField(default=True)
    label = models.ForeignKey(
        Label, null=True, on_delete=models.CASCADE, related_name="+", help_text="Empty for a table."
    )
    # Conditions as learning.core.weak reads them, but with labels by id and examples by their item's digest.
    when = models.JSONField(default=list, blank=True)
    table = models.CharField(
        max_length=64, blank=True, default="", help_text="Digest of {item's name or digest: label's id}."
    )
    table_name = models.CharField(
        max_length=200, blank=True, default="", help_text="What the file was called."
    )
    table_rows = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["question", "name"], name="rule_name_once_a_question")]

    def __str__(self) -> str:
        return self.name


class RuleCheck(Work):
    """What each rule does on the pool, reckoned by a worker: the page only shows it.

    `draft` is a rule that is not saved yet, beside the saved ones; null for the saved ones alone.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rule_checks")
    learner = models.ForeignKey(Learner, on_delete=models.CASCADE, related_name="rule_checks")
    draft = models.JSONField(null=True)
    items = models.PositiveIntegerField(null=True, help_text="Items of the pool that the rules looked at.")
    # {"rows": {rule's id or "draft": a row of the table, its examples, or its error}}
    result = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"rule check {self.pk}"
