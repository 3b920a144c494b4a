from django.contrib.postgres.fields import ArrayField
from django.db import models

from learning.models.learner import Learner


class Lane(models.Model):
    """The newest ranking of one question of several. The queue takes turns between a project's lanes."""

    learner = models.OneToOneField(Learner, on_delete=models.CASCADE, related_name="lane")
    # Best first; of each item the proposed label and its probability, empty before there is a model.
    items = ArrayField(models.BigIntegerField())
    labels = ArrayField(models.BigIntegerField())
    confidences = ArrayField(models.FloatField())
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"lane of {self.learner}"
