from django.db import models

from labelling.models import Project


class TrafficPolicy(models.Model):
    """What a project keeps of what clients send. Without a row, the defaults hold."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="traffic_policy")
    keep_images = models.BooleanField(
        default=False, help_text="Images that are drawn from live traffic become items of the project."
    )
    keep_days = models.PositiveIntegerField(
        null=True, help_text="Predictions, and the feedback on them, are deleted after so many days."
    )
    forgot_at = models.DateTimeField(null=True, help_text="When old ones were last deleted.")

    class Meta:
        verbose_name_plural = "traffic policies"

    def __str__(self) -> str:
        return f"traffic policy of {self.project}"
