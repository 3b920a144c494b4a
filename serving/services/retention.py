"""Predictions older than a project wants to keep are deleted, with the feedback on them."""

from datetime import timedelta

from django.utils import timezone

from serving.models import Prediction, Rollout, TrafficPolicy

PERIOD = timedelta(minutes=1)
# At a time: a long transaction would hold up others.
BATCH = 5_000


def predictions_forget() -> int:
    """Delete a batch of each project that is due; return how many. What a live rollout looks at stays."""
    now = timezone.now()
    due = TrafficPolicy.objects.exclude(keep_days=None).exclude(forgot_at__gt=now - PERIOD)
    deleted = 0
    for policy in list(due):
        # Of several ticks at once, one gets it.
        if not due.filter(pk=policy.pk, forgot_at=policy.forgot_at).update(forgot_at=now):
            continue
        old = Prediction.objects.filter(
            project=policy.project_id, created_at__lt=now - timedelta(days=policy.keep_days or 0)
        ).exclude(rollout__state__in=Rollout.LIVE)
        batch = list(old.order_by("created_at").values_list("pk", flat=True)[:BATCH])
        deleted += Prediction.objects.filter(pk__in=batch).delete()[0]
        if len(batch) == BATCH:
            TrafficPolicy.objects.filter(pk=policy.pk).update(forgot_at=None)
    return deleted
