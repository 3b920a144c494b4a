from django.db import models

from labelling.models.project import Project


class Item(models.Model):
    """One image. Its bytes lie in storage under `path`, named by their digest."""

    class Split(models.TextChoices):
        POOL = "pool"
        HOLDOUT = "holdout"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="items")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the file, in hexadecimal.")
    split = models.CharField(max_length=7, choices=Split.choices)
    path = models.CharField(max_length=200, help_text="Where the storage keeps the bytes.")
    name = models.CharField(max_length=500, help_text="What the file was called when it came.")
    format = models.CharField(max_length=8, help_text="JPEG, PNG or WEBP.")
    width = models.PositiveIntegerField(help_text="pixels")
    height = models.PositiveIntegerField(help_text="pixels")
    size = models.PositiveIntegerField(help_text="bytes")
    metadata = models.JSONField(default=dict, blank=True)
    random_rank = models.PositiveIntegerField(help_text="The precomputed random order of unranked items.")
    # Kept by the annotation services, so that serving the next item counts nothing.
    open = models.BooleanField(default=True, help_text="It still needs answers.")
    answers = models.PositiveSmallIntegerField(
        default=0, help_text="Standing answers of the question that has fewest."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "digest"], name="an_image_once_a_project")]
        indexes = [
            models.Index(
                fields=["project", "split", "random_rank"],
                condition=models.Q(open=True),
                name="item_open_in_random_order",
            ),
            models.Index(fields=["project", "id"], name="item_in_project_order"),
        ]

    def __str__(self) -> str:
        return self.name
