from django.db import models


class Work(models.Model):
    """Something that one worker at a time does, for seconds or for hours, while its heart beats."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        PAUSED = "paused"

    state = models.CharField(max_length=7, choices=State.choices, default=State.QUEUED)
    stage = models.CharField(
        max_length=60, blank=True, default="", help_text="What it is doing now, in words."
    )
    attempt = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    enqueued_at = models.DateTimeField(null=True, help_text="When a worker was last asked to do it.")
    started_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    @property
    def tries(self) -> int:
        """Attempts that count against it."""
        return self.attempt
