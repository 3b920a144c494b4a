"""What a project keeps of what its clients send."""

from labelling.models import Project
from serving.models import TrafficPolicy


def traffic_policy_set(*, project: Project, keep_images: bool) -> TrafficPolicy:
    """What was kept before stays: it is part of the project since."""
    policy, _ = TrafficPolicy.objects.update_or_create(project=project, defaults={"keep_images": keep_images})
    return policy
