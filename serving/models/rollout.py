"""A new model's way into service: who is compared with whom, on which traffic, and what was seen."""

import secrets

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from labelling.models import Project, Question
from learning.models import ModelVersion


def new_salt() -> str:
    """Whoever knew it could choose their arm, so it is random."""
    return secrets.token_hex(8)


class Rollout(models.Model):
    """One comparison on live traffic. At most one a question is live: running or paused."""

    class State(models.TextChoices):
        DRAFT = "draft", "draft"
        RUNNING = "running", "running"
        PAUSED = "paused", "paused"
        PROMOTED = "promoted", "promoted"
        ROLLED_BACK = "rolled-back", "rolled back"
        ENDED = "ended", "ended"

    LIVE = (State.RUNNING, State.PAUSED)

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rollouts")
    question = models.ForeignKey(Question, on_delete=models.CASCADE, related_name="rollouts")
    mode = models.CharField(max_length=20, help_text="By its name in serving.core.modes.")
    config = models.JSONField(default=dict, help_text="The mode's settings, whole: defaults are written out.")
    audit_share = models.FloatField(
        default=0.1,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text="Share of the images sent that is asked of annotators, blind and whatever the arm.",
    )
    maturity_seconds = models.PositiveIntegerField(
        default=0,
        help_text="An answer counts once it is this old: until then, some kinds of labels are late.",
    )
    state = models.CharField(max_length=11, choices=State.choices, default=State.DRAFT)
    # A phase lasts as long as the shares stay. New shares deal everyone anew, by another salt; only a share
    # that gets wider keeps the salt, so that nobody moves back.
    phase = models.PositiveIntegerField(default=1)
    salt = models.CharField(max_length=32, default=new_salt)
    progress = models.JSONField(default=dict, help_text="What decisions have changed: the mode's State.")
    phase_since = models.DateTimeField(null=True)
    figures = models.JSONField(default=list, help_text="What the rule reckoned when it last looked.")
    tally = models.JSONField(
        default=dict,
        help_text="Counts of what was answered until a moment: no look counts all again.",
    )
    waits_for = models.CharField(max_length=300, blank=True, default="", help_text="In a sentence.")
    rule = models.CharField(max_length=60, blank=True, default="", help_text="Which rule says so.")
    # The tick that moves `due_at` on looks at the evidence; all others pass by.
    due_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True, default="", help_text="Why the last look failed.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    slow_ms = models.FloatField(
        null=True, help_text="99% of the champion's answers before it were faster: what is called slow."
    )
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["question"],
                condition=models.Q(state__in=["running", "paused"]),
                name="one_live_rollout_a_question",
            )
        ]

    def __str__(self) -> str:
        return f"{self.mode} rollout {self.pk} ({self.state})"

    @property
    def live(self) -> bool:
        return self.state in self.LIVE

    @property
    def over(self) -> bool:
        return self.state not in (*self.LIVE, self.State.DRAFT)

    @property
    def challenger(self) -> ModelVersion:
        return self.arms.select_related("model_version").get(name=Arm.CHALLENGER).model_version


class Arm(models.Model):
    """A model that takes part."""

    CHAMPION, CHALLENGER = "champion", "challenger"

    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="arms")
    name = models.CharField(max_length=40)
    model_version = models.ForeignKey(ModelVersion, on_delete=models.RESTRICT, related_name="+")
    position = models.PositiveSmallIntegerField()
    # Told by the web processes.
    load_error = models.CharField(
        max_length=300, blank=True, default="", help_text="Why a process could not load it."
    )
    dropped = models.PositiveBigIntegerField(
        default=0, help_text="Images it was to see in the shadow and did not: the queue was full."
    )

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["rollout", "name"], name="an_arm_once_a_rollout")]

    def __str__(self) -> str:
        return f"{self.name}: {self.model_version}"


class EvidencePoint(models.Model):
    """What was known at a moment: the points of the plot."""

    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="points")
    phase = models.PositiveIntegerField()
    figures = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"rollout {self.rollout_id} at {self.created_at}"


class UnitCounts(models.Model):
    """What one unit was answered by one arm, until `UnitsCounted.until`: a look adds what came since."""

    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="+", db_index=False)
    arm = models.CharField(max_length=40)
    unit = models.CharField(max_length=32)
    answers = models.PositiveBigIntegerField()
    failed = models.PositiveBigIntegerField(help_text="Of the answers.")
    timed = models.PositiveBigIntegerField(help_text="Of the answers: the arm did not fail.")
    ms = models.FloatField(help_text="That those took together.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rollout", "arm", "unit"], name="counts_of_a_unit_once_an_arm")
        ]

    def __str__(self) -> str:
        return f"{self.answers} answers of {self.arm} to unit {self.unit}"


class UnitsCounted(models.Model):
    """Up to when a rollout's units are counted. Whoever counts locks this row, and no other."""

    rollout = models.OneToOneField(Rollout, on_delete=models.CASCADE, related_name="+", primary_key=True)
    until = models.DateTimeField(null=True)
    rows = models.PositiveBigIntegerField(default=0, help_text="Answers before it, when they were counted.")

    def __str__(self) -> str:
        return f"units of rollout {self.rollout_id} until {self.until}"
