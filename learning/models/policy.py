"""Augmentation found by search: the search, its trials, and the policies a project keeps."""

from django.db import models

from labelling.models import Project
from learning.models.work import Work


class PolicySearch(Work):
    """A search for an augmentation policy on a project's labels. Its trials are the truth: a worker that
    takes it over repeats what they say and goes on.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="policy_searches")
    # As learning.core.policy_search.config reads it.
    config = models.JSONField()
    minutes = models.FloatField(null=True, help_text="No further proposals after so many.")
    seconds = models.FloatField(default=0.0, help_text="How long it has been worked on.")
    # [[item's id, class], ...]: the labels as they stood when it began; later ones would change its trials.
    known = models.JSONField(default=list)
    total = models.PositiveIntegerField(default=0, help_text="Trials, with finalists and confirmations.")
    spared = models.PositiveSmallIntegerField(
        default=0, help_text="Attempts that do not count: trials were finished since."
    )
    left_out = models.JSONField(default=list, help_text="Operations that destroy labels, in words.")
    verdict = models.JSONField(default=dict)
    note = models.CharField(max_length=600, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project"],
                condition=models.Q(state__in=["queued", "running", "paused"]),
                name="one_live_policy_search_a_project",
            )
        ]

    def __str__(self) -> str:
        return f"policy search {self.pk}"

    @property
    def tries(self) -> int:
        return self.attempt - self.spared


class PolicyTrial(models.Model):
    """One policy, judged once. Whoever finishes it first writes it; its reward depends on its seed only."""

    search = models.ForeignKey(PolicySearch, on_delete=models.CASCADE, related_name="trials")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=12, help_text="search, finalist or confirmation")
    candidate = models.CharField(max_length=60)
    policy = models.JSONField(null=True, help_text="Empty for a fixed augmentation.")
    seed = models.PositiveIntegerField()
    claimed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    reward = models.FloatField(null=True, help_text="The share of held-back labels answered rightly.")
    diverged = models.BooleanField(default=False)
    seconds = models.FloatField(null=True)
    pictures = models.CharField(
        max_length=200, blank=True, default="", help_text="Examples, of one that was the best so far."
    )

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["search", "number"], name="a_trial_number_once")]

    def __str__(self) -> str:
        return f"trial {self.number + 1} of {self.search}"


class AugmentationPolicy(models.Model):
    """A policy that a project keeps, with what speaks for it."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="policies")
    name = models.CharField(max_length=60)
    policy = models.JSONField()
    digest = models.CharField(max_length=64)
    evidence = models.JSONField(default=dict)
    search = models.ForeignKey(
        PolicySearch,
        null=True,
        on_delete=models.SET_NULL,
        related_name="policies",
        help_text="Empty for one that was imported.",
    )
    pictures = models.CharField(
        max_length=200, blank=True, default="", help_text="Examples; empty until a worker has drawn them."
    )
    picture_asked_at = models.DateTimeField(null=True, help_text="When a worker was asked to draw them.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="a_policy_name_once"),
            models.UniqueConstraint(fields=["project", "digest"], name="a_policy_once"),
        ]

    def __str__(self) -> str:
        return self.name
