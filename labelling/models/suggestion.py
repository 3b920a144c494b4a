from django.db import models

from labelling.models.item import Item
from labelling.models.project import Project, Question


class Suggestion(models.Model):
    """A list of labels that annotators see with an item. Who offers it keeps the reason, under `token`."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="suggestions")
    question = models.ForeignKey(Question, on_delete=models.CASCADE, related_name="+")
    labels = models.JSONField(help_text="Their ids, in the order shown.")
    token = models.UUIDField(unique=True, help_text="What the offering side calls it.")
    offered = models.BooleanField(default=True, help_text="Shown with new leases: not withdrawn yet.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item", "question"],
                condition=models.Q(offered=True),
                name="one_offered_list_a_question",
            )
        ]

    def __str__(self) -> str:
        return f"suggestions for item {self.item_id}"
