from django.conf import settings
from django.db import models

from labelling.models.item import Item
from labelling.models.project import Label, Project, Question
from labelling.models.suggestion import Suggestion


class Annotation(models.Model):
    """What a person said about an item. Append-only (the database refuses updates): an annotation
    stands as long as no other one supersedes it. `id` grows in the order of arrival; `uuid` is made
    by the browser, so a retry is stored once.
    """

    class Kind(models.TextChoices):
        ANSWER = "answer"
        SKIP = "skip"
        UNDO = "undo"

    uuid = models.UUIDField(unique=True)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="annotations")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="annotations")
    question = models.ForeignKey(Question, on_delete=models.CASCADE, related_name="annotations")
    annotator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.RESTRICT, related_name="annotations"
    )
    kind = models.CharField(max_length=6, choices=Kind.choices)
    label = models.ForeignKey(Label, null=True, on_delete=models.RESTRICT, related_name="annotations")
    supersedes = models.OneToOneField(
        "self", null=True, on_delete=models.CASCADE, related_name="superseded_by"
    )
    # How the item came to be asked and what was shown with it: needed to correct for both later.
    source = models.CharField(max_length=7, blank=True, default="")
    round_number = models.PositiveIntegerField(null=True)
    suggestion = models.ForeignKey(Label, null=True, on_delete=models.RESTRICT, related_name="+")
    shown_list = models.ForeignKey(
        Suggestion,
        null=True,
        on_delete=models.RESTRICT,
        related_name="annotations",
        help_text="Where a list was suggested; `suggestion` is then its first label.",
    )
    inclusion = models.FloatField(
        null=True, help_text="The chance with which the item was drawn to be asked; null: it was picked."
    )
    seconds = models.FloatField(null=True, help_text="From showing the item to the answer, by the browser.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind="answer", label__isnull=False)
                | (~models.Q(kind="answer") & models.Q(label__isnull=True)),
                name="an_answer_has_a_label",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "id"], name="annotation_in_order"),
            models.Index(fields=["item", "annotator"], name="annotation_of_item"),
            models.Index(fields=["annotator", "project", "id"], name="annotation_of_annotator"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.label or ''} on item {self.item_id}"


class Consensus(models.Model):
    """The aggregated answer to a question about an item: what training and measuring read."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="consensus")
    question = models.ForeignKey(Question, on_delete=models.CASCADE, related_name="+")
    label = models.ForeignKey(Label, on_delete=models.RESTRICT, related_name="+")
    answers = models.PositiveSmallIntegerField()
    agreement = models.FloatField(help_text="Share of the standing answers that say this label.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["item", "question"], name="one_consensus_a_question")]
        indexes = [models.Index(fields=["project", "question"], name="consensus_of_question")]

    def __str__(self) -> str:
        return f"item {self.item_id}: {self.label}"
