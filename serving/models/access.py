from django.conf import settings
from django.db import models

from labelling.models import Project


class ApiKey(models.Model):
    """A REST client's key to one project. Only the SHA-512 of the random secret is kept."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12, unique=True, help_text="The part that may be shown.")
    secret_hash = models.CharField(max_length=128)
    requests_per_second = models.FloatField(null=True, help_text="At most; no limit if empty.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    # Django REST framework asks these of whoever it has authenticated.
    @property
    def is_authenticated(self) -> bool:
        return True
