"""int8 beside float32: the backbone's int8 version, and what it is worth to each model version."""

from django.db import models

from labelling.models import Project
from learning.models.run import ModelVersion
from learning.models.work import Work


class QuantisedBackbone(Work):
    """A backbone in int8, made once for a project and calibrated on pictures of its pool."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="quantised_backbones")
    backbone = models.CharField(max_length=60, help_text="The float32 one, by name.")
    exact = models.CharField(max_length=64, blank=True, default="", help_text="Digest of the float32 ONNX.")
    name = models.CharField(max_length=60, blank=True, default="", help_text="Of the int8 one.")
    digest = models.CharField(max_length=64, blank=True, default="", help_text="Digest of the int8 ONNX.")
    images = models.PositiveIntegerField(null=True, help_text="Pictures of the pool it was calibrated on.")
    # {batch: [ms an image by float32, ms by int8]}, measured in turn by the worker that made it
    speeds = models.JSONField(default=dict)
    size = models.PositiveIntegerField(null=True, help_text="Bytes of the float32 ONNX.")
    size_int8 = models.PositiveIntegerField(null=True, help_text="Bytes of the int8 ONNX.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "backbone"], name="a_backbone_in_int8_once_a_project")
        ]

    def __str__(self) -> str:
        return f"{self.backbone} in int8 for project {self.project_id}"


class QuantisedExport(models.Model):
    """A version's head on the int8 backbone: what it is worth on the hold-out that measured the version.

    Append-only (the database refuses updates).
    """

    version = models.OneToOneField(ModelVersion, on_delete=models.CASCADE, related_name="quantised")
    made = models.ForeignKey(QuantisedBackbone, on_delete=models.CASCADE, related_name="exports")
    labels = models.PositiveIntegerField(help_text="Hold-out labels that both were measured on.")
    right = models.PositiveIntegerField(help_text="Of these, by float32.")
    right_int8 = models.PositiveIntegerField(help_text="Of these, by int8.")
    used = models.BooleanField(help_text="int8 answers where this version does.")
    why = models.CharField(max_length=300, help_text="Why it is used or not, in a sentence.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-version_id"]

    def __str__(self) -> str:
        return f"{self.version} in int8"
