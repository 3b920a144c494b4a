from django.conf import settings
from django.db import models

from labelling.models.project import Project


class ImportJob(models.Model):
    """One import. `cursor` counts the entries dealt with: a job killed in the middle goes on from there."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    class Kind(models.TextChoices):
        FOLDER = "folder"
        ZIP = "zip"
        CSV = "csv"
        JSONL = "jsonl"
        LABELS = "labels", "labels of images that are here"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="import_jobs")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    kind = models.CharField(max_length=6, choices=Kind.choices)
    source = models.CharField(max_length=500, help_text="A local path (ingest) or a stored upload.")
    uploaded = models.BooleanField(default=False, help_text="The source lies in storage, not in a folder.")
    name = models.CharField(max_length=300, help_text="What the person called it.")
    state = models.CharField(max_length=7, choices=State.choices, default=State.QUEUED)
    total = models.PositiveIntegerField(null=True, help_text="Entries in the source; unknown until read.")
    cursor = models.PositiveIntegerField(default=0)
    accepted = models.PositiveIntegerField(default=0)
    duplicates = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True, default="")
    owner = models.UUIDField(null=True, help_text="Made by the process that runs it, new for every claim.")
    heartbeat_at = models.DateTimeField(null=True, help_text="A running job whose heart stops is taken over.")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            # Looked at twice a second: it holds only what is still to do.
            models.Index(
                fields=["id"],
                condition=models.Q(state__in=["queued", "running"]),
                name="import_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"import of {self.name} ({self.state})"

    @property
    def retriable(self) -> bool:
        """It failed, and what it reads is still known: an upload that is used up has no source any more."""
        return self.state == self.State.FAILED and bool(self.source)


class ImportRefusal(models.Model):
    """One entry that was not taken, and why, in a sentence."""

    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="refusals")
    row = models.PositiveIntegerField(help_text="Position in the source, from 1.")
    name = models.CharField(max_length=500)
    reason = models.CharField(max_length=500)

    class Meta:
        ordering = ["row"]
        constraints = [models.UniqueConstraint(fields=["job", "row"], name="a_row_is_refused_once")]

    def __str__(self) -> str:
        return f"row {self.row} ({self.name}): {self.reason}"
