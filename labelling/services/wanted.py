"""Items that are asked besides the ranking, because of what happens outside."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from django.db.models import Exists, OuterRef, QuerySet

from labelling.models import Annotation, Item, Project, Question, Wanted


def items_want(
    *,
    project: Project,
    digests: Sequence[str],
    kind: str,
    reason: str,
    most: int | None = None,
    inclusion: Mapping[str, float] = MappingProxyType({}),
    question: Question | None = None,
) -> int:
    """Ask people, blind, about those of these images that the project has and nobody has spoken of; of
    several questions, nobody to this one.

    At most `most` of them. `inclusion`: the chance with which each was drawn, where chance drew it. Return
    how many are new. Once wanted, an item stays what it was wanted for.
    """
    items = Item.objects.filter(project=project, digest__in=digests, open=True, wanted=None)
    spoken = Annotation.objects.filter(item__in=items).exclude(kind=Annotation.Kind.UNDO)
    if not digests:
        return 0
    if question is not None:
        spoken = spoken.filter(question=question)
    new = items.exclude(pk__in=spoken.values("item")).order_by("id")[:most]
    wanted = [
        Wanted(
            project=project,
            item=item,
            kind=kind,
            reason=reason[:300],
            inclusion=inclusion.get(item.digest),
        )
        for item in new
    ]
    Wanted.objects.bulk_create(wanted, ignore_conflicts=True)
    return len(wanted)


def wanted_withdraw(*, wanted: QuerySet[Wanted]) -> int:
    """Ask these no more, except what somebody has spoken of; return how many. Who holds one may answer."""
    return _unspoken(wanted).delete()[0]


def wanted_thin(*, project: Project, most: int) -> int:
    """Leave at most `most` of those that chance drew, and return how many were given up.

    Which ones are given up is drawn evenly, whatever is in the image, who answered it, and what the chance of
    its draw was. So the rest is a sample of the same images, and weights by the chances of the draws
    still hold: the share that stays is a factor that all have in common, and an estimate of a mean divides
    it out.
    """
    drawn = Wanted.objects.filter(project=project, inclusion__isnull=False)
    surplus = drawn.count() - most
    if surplus <= 0:
        return 0
    given_up = _unspoken(drawn).order_by("?").values_list("pk", flat=True)[:surplus]
    return Wanted.objects.filter(pk__in=list(given_up)).delete()[0]


def _unspoken(wanted: QuerySet[Wanted]) -> QuerySet[Wanted]:
    spoken = Annotation.objects.filter(item=OuterRef("item")).exclude(kind=Annotation.Kind.UNDO)
    return wanted.exclude(Exists(spoken))
