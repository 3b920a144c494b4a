"""What production teaches: some of the images that clients send are asked of annotators, blind.

The audit is a uniform draw, made when the image is answered (`Prediction.audited`), whichever arm answers;
without a rollout, it is drawn where images are kept (`kept_images`), and the label alone carries its chance.
In a rollout, what a model is unsure of is drawn too, more often, and its chance is kept with it
(`Prediction.inclusion`), so that its labels count. What models disagree on, or are unsure of without a
rollout, is picked here. An image that the project does not have can only be asked if the project keeps what
is sent.
"""

from datetime import UTC, datetime, timedelta

from django.db.models import DateTimeField, Exists, OuterRef, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from labelling.models import Project, Wanted
from labelling.services.wanted import items_want, wanted_thin, wanted_withdraw
from serving.core.inclusion import unsure_below
from serving.models import Deployment, Prediction, Rollout
from serving.selectors import disagreed_since, drawn_since, unsure_since
from serving.services.drift import drift_look
from serving.services.prediction_log import spool

AUDITED = "Drawn at random from live traffic, to compare the models of a rollout."
AUDITED_ALONE = "Drawn at random from live traffic, to see how often clients get right answers."
UNSURE_OF = "The model was unsure of it in live traffic."
DISAGREED_ON = "Champion and challenger disagree on it in live traffic."
# So many picked ones wait at most: what is asked is to be fresh, and the ranking has its place too.
MOST_WAITING = 200
# So many drawn ones: more than people answer while they are fresh. What is given up then is drawn, too.
MOST_DRAWN = 500
PERIOD = timedelta(seconds=2)
# What is being written while we look is seen by the next look.
_OVERLAP = timedelta(seconds=10)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def places_left(project: Project) -> int:
    """For what is picked; what is drawn takes none, for its chance must not depend on what waits. Too many
    drawn ones are thinned evenly (`wanted_thin`).
    """
    waiting = Wanted.objects.filter(project=project, kind=Wanted.Kind.TRAFFIC, inclusion=None).count()
    return max(0, MOST_WAITING - waiting)


def production_look() -> None:
    """Want what was answered since the last look and is among the project's items."""
    now = timezone.now()
    # What the spool still holds, after an outage of the database perhaps for long, is looked at once it is
    # stored. Of other machines' spools nothing is known here.
    held, _ = spool.waiting()
    until = now - timedelta(seconds=held)
    fresh = Prediction.objects.filter(
        project=OuterRef("project"),
        created_at__gt=Coalesce(OuterRef("looked_until"), Value(_LONG_AGO, DateTimeField())),
    )
    answering = Deployment.objects.exclude(champion=None).exclude(looked_until__gt=now - PERIOD)
    for deployment in list(answering.filter(Exists(fresh)).select_related("project", "question", "champion")):
        seen = deployment.looked_until
        # Of several ticks at once, one gets it.
        if answering.filter(pk=deployment.pk, looked_until=seen).update(looked_until=until):
            _want(deployment, (seen or now) - _OVERLAP)
            wanted_thin(project=deployment.project, most=MOST_DRAWN)
            drift_look(deployment=deployment)


def audits_withdraw() -> int:
    """Ask no more what only rollouts drew that are over: nobody needs it, and the live one's would wait."""
    over = [Rollout.State.PROMOTED, Rollout.State.ROLLED_BACK, Rollout.State.ENDED]
    draws = Prediction.objects.filter(
        project=OuterRef("project"), digest=OuterRef("item__digest"), inclusion__isnull=False
    )
    drawn = Wanted.objects.filter(
        inclusion__isnull=False, reason__in=(AUDITED, UNSURE_OF), project__rollouts__state__in=over
    )
    stale = drawn.filter(Exists(draws.filter(rollout__state__in=over))).exclude(
        Exists(draws.filter(rollout__state__in=Rollout.LIVE))
    )
    found = list(stale.values_list("pk", flat=True).distinct())
    return wanted_withdraw(wanted=Wanted.objects.filter(pk__in=found)) if found else 0


def _want(deployment: Deployment, since: datetime) -> None:
    project = deployment.project
    kind = Wanted.Kind
    for even, what, reason in ((True, kind.AUDIT, AUDITED), (False, kind.TRAFFIC, UNSURE_OF)):
        chances = drawn_since(deployment, since, even=even)
        items_want(
            project=project,
            digests=list(chances),
            kind=what,
            reason=reason,
            inclusion=chances,
            question=deployment.question,
        )
    champion = deployment.champion
    below = unsure_below(len(champion.card["classes"])) if champion else 0.0
    picked = (
        (disagreed_since(deployment, since), DISAGREED_ON),
        (unsure_since(deployment, since, below), UNSURE_OF),
    )
    for digests, reason in picked:
        most = places_left(project)
        items_want(
            project=project,
            digests=digests,
            kind=kind.TRAFFIC,
            reason=reason,
            most=most,
            question=deployment.question,
        )
