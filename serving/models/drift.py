from django.db import models

from labelling.models import Project
from learning.models import ModelVersion
from serving.models.deployment import Deployment


class DriftReference(models.Model):
    """What a project's images look like to a backbone: what clients' images are compared with."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    backbone = models.CharField(max_length=60)
    digest = models.CharField(
        max_length=64, blank=True, default="", help_text="Of the stored reference; empty as long as none is."
    )
    images = models.PositiveIntegerField(help_text="Embedded when it was made.")
    shards = models.PositiveIntegerField(help_text="Of embeddings, when it was last looked at.")
    error = models.CharField(max_length=300, blank=True, default="", help_text="Why there is none.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "backbone"], name="a_backbone_has_one_reference")
        ]

    def __str__(self) -> str:
        return f"{self.backbone} of {self.project}"


class DriftWindow(models.Model):
    """One look at whether clients' images look like the project's own, and are answered as these are."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="drift_windows")
    model_version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+")
    pool = models.JSONField(help_text="How often the model gives each label to the project's images.")
    live = models.JSONField(help_text="How often it gave each to what clients sent.")
    p = models.FloatField(help_text="The chance of such a difference, or a larger one, without drift.")
    size = models.FloatField(null=True, help_text="Jensen-Shannon divergence in bits.")
    reference = models.CharField(
        max_length=64, blank=True, default="", help_text="Digest of what the images were compared with."
    )
    compared = models.PositiveIntegerField(default=0, help_text="Images compared with it.")
    inputs_p = models.FloatField(null=True, help_text="The same chance for how the images look.")
    inputs_size = models.FloatField(
        null=True, help_text="How far their middle lies from the project's, in spreads of the latter."
    )
    answers_drifted = models.BooleanField(default=False)
    inputs_drifted = models.BooleanField(default=False)
    drifted = models.BooleanField(help_text="One of both.")
    began_at = models.DateTimeField(null=True, help_text="The oldest prediction of the window.")
    ended_at = models.DateTimeField(help_text="The newest.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["deployment", "model_version", "ended_at"], name="drift_windows_in_time")
        ]

    def __str__(self) -> str:
        return f"{'drift' if self.drifted else 'no drift'} in {self.deployment} until {self.ended_at}"
