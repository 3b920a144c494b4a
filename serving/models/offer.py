from django.db import models

from labelling.models import Item
from serving.models.rollout import Rollout


class Offer(models.Model):
    """A merged list that annotators see with an item: which model picked what stays here."""

    id = models.UUIDField(primary_key=True, help_text="The token of the labelling side's Suggestion.")
    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="offers")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="+")
    seed = models.PositiveBigIntegerField(help_text="Of the draft, so that it can be drawn again.")
    rankings = models.JSONField(help_text="{arm: label ids, the likeliest first}")
    votes = models.JSONField(help_text='{label id: whose pick, "" for nobody\'s}')
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["rollout", "created_at"], name="offer_of_rollout")]

    def __str__(self) -> str:
        return f"merged list for item {self.item_id}"
