"""The queue: a ranking of at most some thousand items, and who holds which item now."""

from django.conf import settings
from django.db import models

from labelling.models.item import Item
from labelling.models.project import Label, Project

INCLUSION = "The chance with which it was drawn; null where it was picked, or the chance is not known."


class Queue(models.Model):
    """Points at the ranking in force. A refresh writes a new generation, then moves this pointer."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="queue")
    generation = models.PositiveIntegerField(default=0)
    # What the learning side says of this ranking; this side only shows it.
    round_number = models.PositiveIntegerField(null=True)
    strategy = models.CharField(max_length=60, blank=True, default="")
    reason = models.CharField(max_length=300, blank=True, default="")
    model_digest = models.CharField(max_length=64, blank=True, default="")
    through_annotation = models.BigIntegerField(
        default=0, help_text="The ranking knows the labels up to this annotation's id."
    )
    blind_share = models.FloatField(
        default=0.0, help_text="Blind questions are at least this share while this ranking is in force."
    )
    swapped_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"queue of {self.project} (generation {self.generation})"


class QueueEntry(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="queue_entries")
    generation = models.PositiveIntegerField()
    rank = models.PositiveIntegerField(help_text="0 is asked first.")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="+")
    score = models.FloatField(help_text="The strategy's own utility: larger was ranked higher.")
    suggestion = models.ForeignKey(
        Label, null=True, on_delete=models.SET_NULL, related_name="+", help_text="What the model proposes."
    )
    confidence = models.FloatField(null=True, help_text="The model's calibrated probability of its proposal.")
    inclusion = models.FloatField(null=True, help_text=INCLUSION)
    others = models.JSONField(
        default=dict, help_text="The proposals to further questions: {question: [label, confidence]}."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "generation", "rank"], name="one_entry_a_rank"),
        ]

    def __str__(self) -> str:
        return f"{self.rank}: item {self.item_id}"


class Wanted(models.Model):
    """An item that is asked besides the ranking, because of what happens outside; blind, unless "listed"."""

    class Kind(models.TextChoices):
        AUDIT = "audit"  # drawn evenly, to measure
        TRAFFIC = "traffic"  # picked, to learn from
        LISTED = "listed"  # drawn evenly, to be asked beside a list of suggestions

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="wanted")
    item = models.OneToOneField(Item, on_delete=models.CASCADE, related_name="wanted")
    kind = models.CharField(max_length=7, choices=Kind.choices)
    reason = models.CharField(max_length=300, help_text="For managers: annotators never see it.")
    inclusion = models.FloatField(null=True, help_text=INCLUSION)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "wanted items"
        indexes = [models.Index(fields=["project", "id"], name="wanted_in_order")]

    def __str__(self) -> str:
        return f"item {self.item_id} wanted: {self.kind}"


class Lease(models.Model):
    """An item handed to one person until `expires_at`.

    An item has as many slots as the project's overlap; the unique slot is what keeps two people
    from holding the same item, whatever the statements in flight have seen.
    """

    class Source(models.TextChoices):
        RANKED = "ranked"
        RANDOM = "random"
        HOLDOUT = "holdout"
        AUDIT = "audit"
        TRAFFIC = "traffic"
        LISTED = "listed"

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="leases")
    slot = models.PositiveSmallIntegerField(default=0)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="leases")
    expires_at = models.DateTimeField()
    source = models.CharField(max_length=7, choices=Source.choices)
    rank = models.PositiveIntegerField(null=True)
    round_number = models.PositiveIntegerField(null=True)
    suggestion = models.ForeignKey(Label, null=True, on_delete=models.SET_NULL, related_name="+")
    confidence = models.FloatField(null=True)
    others = models.JSONField(default=dict, help_text="As the queue had them.")
    inclusion = models.FloatField(null=True, help_text=INCLUSION)
    lists = models.JSONField(default=dict, help_text="The lists of suggestions shown: {question: id}.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["item", "slot"], name="one_holder_a_slot")]
        indexes = [models.Index(fields=["annotator", "project"], name="lease_of_annotator")]

    def __str__(self) -> str:
        return f"item {self.item_id} held by {self.annotator_id}"
