"""Why no label comes to a running rollout that waits for some: else it would wait for ever without a word."""

from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from labelling.models import Annotation, Item, Wanted
from serving.models import Feedback, Prediction, Rollout, TrafficPolicy

QUIET = timedelta(hours=1)  # so long without one, and it is said
# What its mode waits for by these rules is labels, or choices, which are labels too.
_FOR_LABELS = {"few-labels", "few-units", "few-votes", "watching", "batch", "same-shares", "accuracy-open"}
_NEWEST = 500  # reports and drawn images that are looked at: a page asks every second
_SOME = 5  # drawn images say whether those that are drawn can be asked


def held_up(rollout: Rollout) -> str:
    """A sentence of what is missing and who can do what; "" if labels come, or none are waited for."""
    if rollout.state != Rollout.State.RUNNING or rollout.rule not in _FOR_LABELS:
        return ""
    if rollout.mode == "canary" and "label" not in rollout.waits_for:
        return ""  # it waits for time or requests
    now = timezone.now()
    if rollout.mode != "shadow" and _reported_since(rollout, now - QUIET):
        return ""
    annotator = Annotation.objects.filter(question=rollout.question_id, project=rollout.project_id)
    newest = annotator.order_by("-id").values_list("created_at", flat=True).first()
    since = max(filter(None, (newest, rollout.started_at)), default=rollout.created_at)
    waiting, more = _waiting(rollout), _more(rollout)
    if not waiting and _none_can_be_asked(rollout):
        return (
            "Nobody can be asked about the images drawn from its traffic: the project does not have them, "
            "and keeps none that clients send. "
            f"Let it keep them, on the Deployment page{more}, or decide by hand."
        )
    if now - since < QUIET:
        return ""
    quiet = _words(now - since)
    if not waiting and not _answers(rollout).filter(created_at__gt=now - QUIET).exists():
        return (
            f"No client has asked anything for an hour or more, and no label has come for {quiet}: it waits."
        )
    if waiting:
        images = "1 image of live traffic waits" if waiting == 1 else f"{waiting} images of live traffic wait"
        return (
            f"No label for {quiet}, while {images} to be asked about: "
            f"somebody must label{more}, or decide by hand."
        )
    if rollout.audit_share == 0:
        return (
            f"No label for {quiet}, and none is asked for, as its audited share is 0%: "
            f"raise it below{more}, or decide by hand."
        )
    return (
        f"No label for {quiet}, and no image drawn from its traffic waits for one: "
        f"raise the audited share below{more}, or decide by hand."
    )


def _more(rollout: Rollout) -> str:
    return "" if rollout.mode == "shadow" else ", have clients report the true labels"


def _reported_since(rollout: Rollout, since: datetime) -> bool:
    """By the newest reports of all, and by those on its newest answers: other projects may get many."""
    newest = Feedback.objects.order_by("-id").values_list("created_at", "prediction__rollout")[:_NEWEST]
    if any(at > since and of == rollout.pk for at, of in newest):
        return True
    answers = list(_answers(rollout).order_by("-created_at").values_list("pk", flat=True)[:_NEWEST])
    return Feedback.objects.filter(prediction__in=answers, created_at__gt=since).exists()


def _answers(rollout: Rollout) -> QuerySet[Prediction]:
    return Prediction.objects.filter(rollout=rollout, phase=rollout.phase, shadow_of=None)


def _waiting(rollout: Rollout) -> int:
    kinds = [Wanted.Kind.AUDIT, *([Wanted.Kind.LISTED] if rollout.mode == "interleaving" else [])]
    return Wanted.objects.filter(project=rollout.project_id, kind__in=kinds).count()


def _none_can_be_asked(rollout: Rollout) -> bool:
    """The project neither has the newest drawn images nor keeps such."""
    if TrafficPolicy.objects.filter(project=rollout.project_id, keep_images=True).exists():
        return False
    drawn = _answers(rollout).filter(audited=True)
    digests = list(drawn.order_by("-created_at").values_list("digest", flat=True)[:_NEWEST])
    return (
        len(digests) >= _SOME
        and not Item.objects.filter(project=rollout.project_id, digest__in=digests).exists()
    )


def _words(time: timedelta) -> str:
    hours = int(time.total_seconds() // 3600)
    if hours < 48:
        return "an hour" if hours < 2 else f"{hours} hours"
    return f"{hours // 24} days"
