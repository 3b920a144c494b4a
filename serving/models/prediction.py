import uuid

from django.db import models

from labelling.models import Label, Project
from learning.models import ModelVersion
from serving.models.access import ApiKey
from serving.models.rollout import Rollout


class Prediction(models.Model):
    """The exposure event: what was asked, which arm answered with which probability, and how fast."""

    class Status(models.TextChoices):
        OK = "ok"
        FAILED = "failed", "the arm failed, and the champion answered in its place if it could"
        SHADOW = "shadow", "nobody was told"
        BROKEN = "broken", "it failed in the shadow"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="predictions")
    api_key = models.ForeignKey(ApiKey, null=True, on_delete=models.SET_NULL, related_name="predictions")
    model_version = models.ForeignKey(ModelVersion, on_delete=models.RESTRICT, related_name="predictions")
    request_id = models.UUIDField(help_text="One request may hold several images.")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the image sent.")
    precision = models.CharField(
        max_length=7, default="float32", help_text="The numbers of the backbone that answered."
    )
    arm = models.CharField(max_length=40, default="champion")
    propensity = models.FloatField(default=1.0, help_text="The probability with which this arm was chosen.")
    status = models.CharField(max_length=6, choices=Status.choices, default=Status.OK)
    rollout = models.ForeignKey(Rollout, null=True, on_delete=models.SET_NULL, related_name="predictions")
    phase = models.PositiveIntegerField(null=True, help_text="Of the rollout.")
    unit = models.CharField(max_length=32, blank=True, default="", help_text="Hash of the client's unit key.")
    bucket = models.PositiveSmallIntegerField(null=True, help_text="Where the unit fell, of 10,000.")
    audited = models.BooleanField(default=False, help_text="Drawn evenly to be asked of annotators, blind.")
    inclusion = models.FloatField(
        null=True, help_text="The chance with which it was drawn to be asked, evenly or not; null: not drawn."
    )
    shadow_of = models.UUIDField(null=True, help_text="The answer that the client got to the same image.")
    # What a mode needs to judge this one later: the teams of a merged list, the champion's confidence.
    trace = models.JSONField(null=True)
    # [{"label": name, "probability": p}, ...] in the order shown: the likeliest first, or as it was merged;
    # empty where no model answered
    top = models.JSONField()
    decode_ms = models.FloatField()
    infer_ms = models.FloatField()
    created_at = models.DateTimeField(auto_now_add=True)
    place = models.BinaryField(
        null=True, help_text="Where it lies among the project's images, to tell drift; null: not compared."
    )

    class Meta:
        indexes = [
            models.Index(fields=["project", "created_at"], name="prediction_in_time"),
            models.Index(fields=["project", "digest"], name="prediction_of_digest"),
            models.Index(
                fields=["rollout", "phase", "created_at"],
                condition=models.Q(rollout__isnull=False),
                name="prediction_of_rollout",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def answered(self) -> bool:
        return bool(self.top)


# The champion failed, and nobody got an answer.
UNANSWERED = models.Q(status=Prediction.Status.FAILED, top=[])


class Feedback(models.Model):
    """The truth about a prediction, as a client reports it. Append-only and once a prediction."""

    prediction = models.OneToOneField(Prediction, on_delete=models.CASCADE, related_name="feedback")
    api_key = models.ForeignKey(ApiKey, null=True, on_delete=models.RESTRICT, related_name="+")
    label = models.ForeignKey(Label, on_delete=models.RESTRICT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.label} for {self.prediction_id}"
