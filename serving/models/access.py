from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from labelling.models import Project


class Scope(models.TextChoices):
    """What a key may do."""

    PREDICT = "predict", "predictions"
    FEEDBACK = "feedback", "feedback"


def every_scope() -> list[str]:
    return [str(scope) for scope in Scope]


class ApiKey(models.Model):
    """A REST client's key to one project. Only the SHA-512 of the random secret is kept."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12, unique=True, help_text="The part that may be shown.")
    secret_hash = models.CharField(max_length=128)
    scopes = ArrayField(
        models.CharField(max_length=8, choices=Scope.choices),
        default=every_scope,
        help_text="What it may do: at least one thing.",
    )
    requests_per_second = models.FloatField(null=True, help_text="At most; no limit if empty.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(scopes__len__gt=0)
                & models.Q(scopes__contained_by=["predict", "feedback"]),
                name="a_key_may_do_something",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def may(self) -> str:
        """Its scopes in words."""
        return " and ".join(scope.label for scope in Scope if scope in self.scopes)

    # Django REST framework asks these of whoever it has authenticated.
    @property
    def is_authenticated(self) -> bool:
        return True
