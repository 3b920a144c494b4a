from django.db import models

from labelling.models import Project
from learning.models.work import Work


class PretrainingRun(Work):
    """A backbone being learned from a project's own pictures, without labels."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="pretraining_runs")
    method = models.CharField(max_length=60)
    config = models.JSONField(default=dict)
    seed = models.PositiveIntegerField()
    images = models.PositiveIntegerField(null=True, help_text="How many pictures of the pool it learns from.")
    progress = models.FloatField(default=0.0, help_text="The share that is done, 0 to 1.")
    backbone = models.CharField(max_length=60, blank=True, default="", help_text="What came out, by name.")
    note = models.CharField(
        max_length=2000, blank=True, default="", help_text="How it compares with the backbone before."
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project"],
                condition=models.Q(state__in=["queued", "running"]),
                name="one_live_pretraining_a_project",
            )
        ]

    def __str__(self) -> str:
        return f"pretraining run {self.pk}"
