"""What a project keeps of what its clients send."""

from typing import Any

from labelling.models import Project
from serving.models import TrafficPolicy


def traffic_policy_set(
    *, project: Project, keep_images: bool, keep_days: int | None = None, audit_share: float | None = None
) -> TrafficPolicy:
    """Images that were kept before stay: they are part of the project since. `audit_share`: 0 to 1, or None
    to leave it as it is.
    """
    changes: dict[str, Any] = {"keep_images": keep_images, "keep_days": keep_days, "forgot_at": None}
    if audit_share is not None:
        changes["audit_share"] = audit_share
    policy, _ = TrafficPolicy.objects.update_or_create(project=project, defaults=changes)
    return policy
