from django.db import models

from learning.models import ModelVersion
from serving.models.deployment import Deployment


class DriftWindow(models.Model):
    """One look at whether clients' images are answered as the project's own are."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="drift_windows")
    model_version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+")
    pool = models.JSONField(help_text="How often the model gives each label to the project's images.")
    live = models.JSONField(help_text="How often it gave each to what clients sent.")
    p = models.FloatField(help_text="The chance of such a difference, or a larger one, without drift.")
    size = models.FloatField(null=True, help_text="Jensen-Shannon divergence in bits.")
    drifted = models.BooleanField()
    ended_at = models.DateTimeField(help_text="The newest prediction of the window.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["deployment", "model_version", "ended_at"], name="drift_windows_in_time")
        ]

    def __str__(self) -> str:
        return f"{'drift' if self.drifted else 'no drift'} in {self.deployment} until {self.ended_at}"
