"""Items that are asked besides the ranking, because of what happens outside."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

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
