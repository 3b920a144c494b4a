from django.conf import settings
from django.db import models

from labelling.models import Project, Question
from learning.models import ModelVersion
from serving.models.rollout import Rollout


class Deployment(models.Model):
    """Which model answers a question of a project's clients now."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="deployments")
    question = models.OneToOneField(Question, on_delete=models.CASCADE, related_name="deployment")
    champion = models.ForeignKey(ModelVersion, null=True, on_delete=models.RESTRICT, related_name="+")
    automatic = models.BooleanField(
        default=True,
        help_text="A new version whose hold-out evidence is no worse becomes the champion by itself.",
    )
    # The newest of the question's versions that the automatic rule has looked at.
    considered = models.PositiveIntegerField(default=0)
    looked_until = models.DateTimeField(
        null=True, help_text="What was answered before has been considered for the queue."
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["question__position", "question_id"]

    def __str__(self) -> str:
        return f"deployment of {self.question}"


class Decision(models.Model):
    """Append-only (the database refuses updates): every automatic or human switch, with its evidence."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="decisions")
    model_version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+")
    previous = models.ForeignKey(ModelVersion, null=True, on_delete=models.CASCADE, related_name="+")
    rollout = models.ForeignKey(Rollout, null=True, on_delete=models.CASCADE, related_name="decisions")
    action = models.CharField(
        max_length=20, help_text="promote, hold, automatic-on or -off; of a rollout, what it does next."
    )
    rule = models.CharField(max_length=60, help_text="The named rule, or 'person'.")
    reason = models.CharField(max_length=300)
    evidence = models.JSONField(
        default=dict, help_text="All that the rule looked at, and what it made of it."
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.RESTRICT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.action} {self.model_version} by {self.rule}"
