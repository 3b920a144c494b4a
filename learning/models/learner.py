from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from labelling.models import Project, Question
from labelling.models.project import random_seed


class Learner(models.Model):
    """A project's recipe: what is trained on a question's labels, when, and how the next items are chosen."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="learners")
    question = models.OneToOneField(Question, on_delete=models.CASCADE, related_name="learner")
    enabled = models.BooleanField(default=True)
    backbone = models.CharField(max_length=60, default="efficientnet-lite0")
    method = models.CharField(max_length=60, default="auto")
    strategy = models.CharField(max_length=60, default="auto")
    augmentation = models.CharField(
        max_length=60, default="views", help_text="How pictures are changed while networks learn from labels."
    )
    retrain_after = models.PositiveIntegerField(
        default=1, validators=[MinValueValidator(1)], help_text="New labels before the next training."
    )
    queue_length = models.PositiveIntegerField(
        default=10_000,
        validators=[MinValueValidator(1), MaxValueValidator(100_000)],
        help_text="How many items of the pool are ranked.",
    )
    target = models.FloatField(
        default=0.95,
        validators=[MinValueValidator(0.5), MaxValueValidator(0.999)],
        help_text="The accuracy to reach: labelling may stop once it is proven.",
    )
    training_seconds = models.PositiveIntegerField(
        default=300,
        validators=[MinValueValidator(1), MaxValueValidator(86_400)],
        help_text="What one training may take, as planned by the number of labels.",
    )
    training_megabytes = models.PositiveIntegerField(
        default=2_000,
        validators=[MinValueValidator(20), MaxValueValidator(1_000_000)],
        help_text="The memory that one training may take.",
    )
    seed = models.PositiveIntegerField(default=random_seed)
    # Training has seen the annotations up to this id; the tick compares it with the newest one.
    trained_through = models.BigIntegerField(default=0, editable=False)
    # What the newest model and those before it say of further labels, as services.outlook writes it.
    outlook = models.JSONField(default=dict, editable=False)
    # A strategy change asks for a new ranking although no label has come.
    requested_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"learner of {self.question}"
