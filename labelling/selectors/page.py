"""What the annotator's page and its routes read."""

from collections.abc import Sequence
from uuid import UUID

from django.db.models.functions import Now

from labelling.models import Annotation, Lease, Project, Question, User
from labelling.selectors.labels import standing


def questions_of(project: Project) -> list[Question]:
    """The project's questions in the order of asking, each with its labels at hand."""
    return list(Question.objects.filter(project=project).prefetch_related("labels"))


def annotation_known(uuid: UUID) -> bool:
    return Annotation.objects.filter(uuid=uuid).exists()


def unanswered(project: Project, annotator: User, items: Sequence[int]) -> dict[int, list[int]]:
    """For each item the ids of the questions this person has not answered or skipped yet, in order."""
    questions = list(Question.objects.filter(project=project).values_list("id", flat=True))
    said = set(standing().filter(item__in=items, annotator=annotator).values_list("item_id", "question_id"))
    return {item: [question for question in questions if (item, question) not in said] for item in items}


def held_items(project: Project, annotator: User, items: Sequence[int]) -> list[int]:
    """Those of the items whose lease this person still has."""
    leases = Lease.objects.filter(project=project, annotator=annotator, item__in=items, expires_at__gt=Now())
    return list(leases.order_by("item_id").values_list("item_id", flat=True))
