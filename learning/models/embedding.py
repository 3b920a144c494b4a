from django.contrib.postgres.fields import ArrayField
from django.db import models

from labelling.models import Project


class EmbeddingShard(models.Model):
    """The embeddings of some thousand items by one backbone: one fp16 `.npy` of shape (items, features)
    in storage. Row i belongs to `item_ids[i]`. New items add shards; a shard never changes.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="embedding_shards")
    backbone = models.CharField(max_length=60)
    number = models.PositiveIntegerField()
    item_ids = ArrayField(models.BigIntegerField())
    first_item = models.BigIntegerField(help_text="The shard covers the project's items from this id ...")
    last_item = models.BigIntegerField(help_text="... to this one.")
    failed_ids = ArrayField(
        models.BigIntegerField(), default=list, help_text="Items of the range whose image no longer decodes."
    )
    path = models.CharField(max_length=200, blank=True, default="", help_text="Empty until embedded.")
    digest = models.CharField(max_length=64, blank=True, default="")
    claimed_at = models.DateTimeField(
        null=True, help_text="A worker is embedding it; a stale claim is retaken."
    )
    progress = models.PositiveIntegerField(default=0, help_text="Images dealt with so far.")
    error = models.CharField(
        max_length=500, blank=True, default="", help_text="Why the last attempt stopped; it is tried again."
    )
    enqueued_at = models.DateTimeField(null=True, help_text="When a worker was last asked to embed it.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "backbone", "number"], name="a_shard_number_once"),
            models.UniqueConstraint(
                fields=["project", "backbone", "first_item"], name="an_item_in_one_shard"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.backbone} shard {self.number} of {self.project}"
