"""The audit: a uniform draw of the images sent is asked of annotators, blind, whichever arm answered.

The draw is made when the image is answered (`Prediction.audited`); here the drawn ones are put into the
queue. An image that the project does not have can only be asked if the project keeps what is sent.
"""

from datetime import timedelta

from django.utils import timezone

from labelling.models import Wanted
from labelling.services.wanted import items_want
from serving.models import Prediction, Rollout

# What is being written while we look has been seen by the next look.
_OVERLAP = timedelta(seconds=10)
REASON = "Drawn at random from live traffic, to compare the models of a rollout."


def audits_queue() -> None:
    """Want what was drawn since the last look and is among the project's items."""
    for rollout in Rollout.objects.filter(state=Rollout.State.RUNNING, audit_share__gt=0):
        now = timezone.now()
        since = rollout.audited_until or rollout.started_at or now
        drawn = Prediction.objects.filter(
            rollout=rollout, audited=True, shadow_of=None, created_at__gte=since - _OVERLAP
        )
        digests = list(drawn.order_by().values_list("digest", flat=True).distinct())
        if digests:
            items_want(project=rollout.project, digests=digests, kind=Wanted.Kind.AUDIT, reason=REASON)
        Rollout.objects.filter(pk=rollout.pk).update(audited_until=now)
