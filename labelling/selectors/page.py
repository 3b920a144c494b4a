"""What the annotator's page and its routes read."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from django.db.models.functions import Now

from labelling.models import Annotation, Lease, Project, Question, Suggestion, User
from labelling.selectors.labels import standing


def questions_of(project: Project) -> list[Question]:
    """The project's questions in the order of asking, each with its labels at hand."""
    return list(Question.objects.filter(project=project).prefetch_related("labels"))


def annotation_known(uuid: UUID) -> bool:
    return Annotation.objects.filter(uuid=uuid).exists()


def unanswered(project: Project, annotator: User, items: Sequence[int]) -> dict[int, list[int]]:
    """For each item the ids of the questions this person can answer, in order.

    Those they have not answered or skipped yet, without the ones that have got their answers from others, as
    long as any is left.
    """
    questions = list(Question.objects.filter(project=project).values_list("id", flat=True))
    said = standing().filter(item__in=items).values_list("item_id", "question_id", "annotator_id", "kind")
    mine: set[tuple[int, int]] = set()
    given: Counter[tuple[int, int]] = Counter()
    for item, question, who, kind in said:
        given[item, question] += kind == Annotation.Kind.ANSWER
        if who == annotator.pk:
            mine.add((item, question))
    left = {item: [pk for pk in questions if (item, pk) not in mine] for item in items}
    wanted = {item: [pk for pk in of if given[item, pk] < project.overlap] for item, of in left.items()}
    return {item: wanted[item] or left[item] for item in items}


def lists_shown(leases: Sequence[Lease]) -> dict[int, list[int]]:
    """The labels of each list of suggestions that these leases show, by the list's id."""
    wanted = [pk for lease in leases for pk in lease.lists.values()]
    if not wanted:
        return {}
    return dict(Suggestion.objects.filter(pk__in=wanted).values_list("id", "labels"))


def held_items(project: Project, annotator: User, items: Sequence[int]) -> list[int]:
    """Those of the items whose lease this person still has."""
    leases = Lease.objects.filter(project=project, annotator=annotator, item__in=items, expires_at__gt=Now())
    return list(leases.order_by("item_id").values_list("item_id", flat=True))
