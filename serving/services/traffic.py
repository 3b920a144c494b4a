"""What a project keeps of what its clients send."""

from labelling.models import Project
from serving.models import TrafficPolicy


def traffic_policy_set(*, project: Project, keep_images: bool, keep_days: int | None = None) -> TrafficPolicy:
    """Images that were kept before stay: they are part of the project since."""
    changes = {"keep_images": keep_images, "keep_days": keep_days, "forgot_at": None}
    policy, _ = TrafficPolicy.objects.update_or_create(project=project, defaults=changes)
    return policy
