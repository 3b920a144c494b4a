from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from labelling.models import Project


class TrafficPolicy(models.Model):
    """What a project keeps of what clients send. Without a row, the defaults hold."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="traffic_policy")
    keep_images = models.BooleanField(
        default=False, help_text="Images that are drawn from live traffic become items of the project."
    )
    audit_share = models.FloatField(
        default=0.1,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text="Share of the images sent that is asked of annotators, blind, without a rollout. "
        "It draws only where images are kept: else what is new to the project would never be asked.",
    )
    keep_days = models.PositiveIntegerField(
        null=True, help_text="Predictions, and the feedback on them, are deleted after so many days."
    )
    forgot_at = models.DateTimeField(null=True, help_text="When old ones were last deleted.")

    class Meta:
        verbose_name_plural = "traffic policies"

    def __str__(self) -> str:
        return f"traffic policy of {self.project}"
