from django.db import models

from labelling.models import Project
from learning.models.learner import Learner
from learning.models.work import Work


class MethodChoice(Work):
    """Which method the automatic one fits now: compared beside the trainings, which nobody keeps waiting.

    The same row again and again, queued when the labels have grown.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="method_choices")
    learner = models.OneToOneField(Learner, on_delete=models.CASCADE, related_name="method_choice")
    # What was compared last: {"method": its name, "labels": how many, "why": a sentence's end}
    choice = models.JSONField(default=dict)
    # What it was compared for, and holds for: features, classes, rules.
    basis = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"method choice of learner {self.learner_id}"
