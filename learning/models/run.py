"""What training made: the run, the immutable model version that came out, the round that ranked the pool."""

from django.db import models

from labelling.models import Project
from learning.models.learner import Learner
from learning.models.work import Work


class TrainingRun(Work):
    ENDED = "The training was ended by a manager."

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="training_runs")
    learner = models.ForeignKey(Learner, on_delete=models.CASCADE, related_name="runs")
    seed = models.PositiveIntegerField()
    through_annotation = models.BigIntegerField()
    snapshot = models.CharField(
        max_length=64, blank=True, default="", help_text="Digest of the labels it read."
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["learner"],
                condition=models.Q(state__in=["queued", "running"]),
                name="one_live_run_a_learner",
            )
        ]

    def __str__(self) -> str:
        return f"training run {self.pk}"


class ModelVersion(models.Model):
    """Immutable (the database refuses updates). `digest` is the SHA-256 of the JSON card, which names the
    digests of the weights (safetensors), of the exported head (ONNX) and of the backbone's ONNX.
    """

    # What metrics["basis"] says where the accuracy is an estimate from random draws, not of a hold-out.
    DRAWS = "draws"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="model_versions")
    number = models.PositiveIntegerField()
    run = models.OneToOneField(TrainingRun, on_delete=models.CASCADE, related_name="model_version")
    learner = models.ForeignKey(Learner, on_delete=models.CASCADE, related_name="model_versions")
    digest = models.CharField(max_length=64)
    method = models.CharField(max_length=60)
    backbone = models.CharField(max_length=60)
    labels = models.PositiveIntegerField(help_text="Labels it was trained on.")
    holdout_labels = models.PositiveIntegerField(help_text="Labels it was measured on.")
    # accuracy, accuracy_low, accuracy_high (null if nothing measured it), ece, temperature, per_class;
    # basis and effective where there is no hold-out
    metrics = models.JSONField()
    card = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="a_version_number_once")]

    def __str__(self) -> str:
        return f"version {self.number} of {self.project}"


class Round(models.Model):
    """One query: which strategy, on which model, chose what and why. Enough to replay the choice."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rounds")
    number = models.PositiveIntegerField()
    run = models.OneToOneField(TrainingRun, on_delete=models.CASCADE, related_name="round")
    model_version = models.ForeignKey(
        ModelVersion, null=True, on_delete=models.SET_NULL, related_name="rounds"
    )
    strategy = models.CharField(max_length=60, help_text="The strategy that ranked.")
    requested = models.CharField(max_length=60, help_text="The strategy the learner asked for.")
    reason = models.CharField(max_length=300, help_text="Why these items, in a sentence.")
    seed = models.PositiveIntegerField()
    candidates = models.PositiveIntegerField(help_text="Items of the pool that could be asked.")
    ranked = models.PositiveIntegerField()
    # [{"item": id, "score": x}, ...] for the first hundred
    head = models.JSONField(default=list)
    seconds = models.FloatField(help_text="From the start of the run to the swapped queue.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="a_round_number_once")]

    def __str__(self) -> str:
        return f"round {self.number} of {self.project}"
