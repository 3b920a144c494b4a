"""A pool too big for one array is searched in parts, by the run's worker and any other that is free."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from learning.models.run import TrainingRun


class Search(models.Model):
    """What a run's pool is searched for. It is there while the run ranks."""

    run = models.OneToOneField(TrainingRun, on_delete=models.CASCADE, related_name="search")
    backbone = models.CharField(max_length=60)
    screen = models.CharField(max_length=60, help_text="The strategy that searches each part.")
    keep = models.PositiveIntegerField(help_text="How many items of all are wanted.")
    heads = ArrayField(models.BinaryField(), help_text="The model, then its committee, as safetensors.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "searches"

    def __str__(self) -> str:
        return f"search of {self.run}"


class SearchPart(models.Model):
    """Some thousand items, searched by whichever worker comes first: all find the same."""

    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    first_item = models.BigIntegerField(help_text="The part covers the project's items from this id ...")
    last_item = models.BigIntegerField(help_text="... to this one.")
    claimed_at = models.DateTimeField(null=True, help_text="When a worker began with it.")
    found = models.BinaryField(null=True, help_text="Ids and scores as safetensors; null until searched.")

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["search", "number"], name="a_part_of_a_search_once")]

    def __str__(self) -> str:
        return f"part {self.number} of the {self.search}"
