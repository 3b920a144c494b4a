"""What clients have sent since it was last looked at, and what the last look found."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.fields.json import KT

from labelling.models import Item
from learning.models import QuantisedExport
from serving.models import UNANSWERED, Arm, Deployment, DriftReference, DriftWindow, Prediction

# A window is made of so many answers at most: the newest, so that images sent again and again stop nothing.
_LOOKED_AT = 4  # times its size


@dataclass(frozen=True)
class SentImage:
    digest: str
    guess: str | None  # the champion's; None if it is not known
    place: bytes | None  # with its mark; None if it was found by another reference or by none
    created_at: datetime


def images_sent(deployment: Deployment, size: int, marks: Sequence[bytes]) -> list[SentImage]:
    """Of images that clients sent since the last window, the first `size`: of each the first answer of which
    something can be told, the champion's guess or a place that begins with one of `marks`, whichever arm gave
    it.

    What the project had before it was sent is no live traffic. An answer that was kept is sent again without
    a new prediction. Where an arm answered, the champion's guess is known if its backbone saw the image: in a
    rollout that deals by this guess, the champion's own answers would be a chosen part of the traffic.
    """
    champion = deployment.champion_id
    had = Item.objects.filter(
        project=OuterRef("project"), digest=OuterRef("digest"), created_at__lt=OuterRef("created_at")
    )
    compared = Arm.objects.filter(rollout=OuterRef("rollout"), name=Arm.CHAMPION, model_version=champion)
    answers = Prediction.objects.filter(
        ~UNANSWERED,
        project=deployment.project_id,
        shadow_of=None,
        status__in=(Prediction.Status.OK, Prediction.Status.FAILED),
        model_version__learner__question=deployment.question_id,
    )
    last = drift_windows(deployment).first()
    if last is not None:
        answers = answers.filter(created_at__gt=last.ended_at)
    rows = list(
        answers.order_by("-created_at")
        .annotate(had=Exists(had), compared=Exists(compared))
        .annotate(told=KT("top__0__label"), known=KT("trace__guess"))
        .values_list("digest", "model_version", "told", "known", "compared", "place", "created_at", "had")[
            : _LOOKED_AT * size
        ]
    )
    found: dict[str, SentImage] = {}
    for digest, version, told, known, of_champion, place, at, already in reversed(rows):
        guess = known if known and of_champion else told if version == champion else None
        here = bytes(place) if place and bytes(place).startswith(tuple(marks)) else None
        if (guess or here) and not already:
            found.setdefault(digest, SentImage(digest, guess, here, at))
    return list(found.values())[:size]


def drift_windows(deployment: Deployment) -> QuerySet[DriftWindow]:
    """Those of the champion's backbone, the newest first: another one begins anew, a new head does not."""
    champion = deployment.champion
    backbone = champion.backbone if champion else ""
    return DriftWindow.objects.filter(deployment=deployment, model_version__backbone=backbone).select_related(
        "model_version"
    )


def drift_references(deployment: Deployment) -> list[str]:
    """The digests of what images may be compared with: by the champion's backbone in float32 and in int8."""
    champion = deployment.champion
    if champion is None:
        return []
    int8 = QuantisedExport.objects.filter(version=champion, used=True).values("made__name")
    known = DriftReference.objects.filter(
        Q(backbone=champion.backbone) | Q(backbone__in=int8), project=deployment.project_id
    )
    return list(known.exclude(digest="").order_by("pk").values_list("digest", flat=True))


@dataclass(frozen=True)
class Drifted:
    last: DriftWindow
    windows: int  # that have drifted, one after the other
    since: datetime


def drift_now(deployment: Deployment) -> Drifted | None:
    """None if the last window has not drifted, or there is none."""
    windows = drift_windows(deployment)
    last = windows.first()
    if last is None or not last.drifted:
        return None
    calm = windows.filter(drifted=False).first()
    run = windows.filter(pk__gt=calm.pk if calm else 0)
    first = run.order_by("pk")[0]
    return Drifted(last, run.count(), first.began_at or first.ended_at)
