import uuid

from django.db import models

from labelling.models import Label, Project
from learning.models import ModelVersion
from serving.models.access import ApiKey


class Prediction(models.Model):
    """The exposure event: what was asked, which arm answered with which probability, and how fast."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="predictions")
    api_key = models.ForeignKey(ApiKey, null=True, on_delete=models.SET_NULL, related_name="predictions")
    model_version = models.ForeignKey(ModelVersion, on_delete=models.RESTRICT, related_name="predictions")
    request_id = models.UUIDField(help_text="One request may hold several images.")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the image sent.")
    arm = models.CharField(max_length=40, default="champion")
    propensity = models.FloatField(default=1.0, help_text="The probability with which this arm was chosen.")
    # [{"label": name, "probability": p}, ...], the likeliest first
    top = models.JSONField()
    decode_ms = models.FloatField()
    infer_ms = models.FloatField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["project", "created_at"], name="prediction_in_time"),
            models.Index(fields=["project", "digest"], name="prediction_of_digest"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Feedback(models.Model):
    """The truth about a prediction, as a client reports it. Append-only and once a prediction."""

    prediction = models.OneToOneField(Prediction, on_delete=models.CASCADE, related_name="feedback")
    api_key = models.ForeignKey(ApiKey, null=True, on_delete=models.RESTRICT, related_name="+")
    label = models.ForeignKey(Label, on_delete=models.RESTRICT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.label} for {self.prediction_id}"
