"""The queue of a project that asks several questions: a lane for each, taking turns."""

from collections.abc import Sequence

import numpy as np

from labelling.models import Consensus, Item, Question
from labelling.services.queue import RankedItem
from learning.core.turns import take_turns
from learning.models import Lane, Learner


def queue_of_lanes(*, learner: Learner, ranked: Sequence[RankedItem]) -> Sequence[RankedItem]:
    """What the project's queue asks now that this learner has ranked anew; with one question, just that.

    Keeps the ranking as the learner's lane and joins it with the lanes of the other questions. Call it in the
    publishing transaction, holding the lock on the project's row.
    """
    if Question.objects.filter(project=learner.project_id).count() == 1:
        return ranked
    Lane.objects.update_or_create(
        learner=learner,
        defaults={
            "items": [one.item_id for one in ranked],
            "labels": [one.suggestion_id for one in ranked if one.suggestion_id is not None],
            "confidences": [one.confidence for one in ranked if one.confidence is not None],
        },
    )
    lanes = list(
        Lane.objects.filter(learner__project=learner.project_id, learner__enabled=True)
        .select_related("learner__question", "learner__project")
        .order_by("learner__question__position", "learner__question_id")
    )
    asked = take_turns([np.array(_wanted(lane), np.int64) for lane in lanes])[: learner.queue_length]
    return _suggested(asked.tolist(), lanes)


def _wanted(lane: Lane) -> list[int]:
    """Items of the lane whose question still needs answers about them."""
    items = Item.objects.filter(pk__in=lane.items, open=True)
    answered = Consensus.objects.filter(
        question=lane.learner.question_id, item__in=lane.items, answers__gte=lane.learner.project.overlap
    )
    wanted = set(items.values_list("pk", flat=True)) - set(answered.values_list("item_id", flat=True))
    return [pk for pk in lane.items if pk in wanted]


def _suggested(items: list[int], lanes: list[Lane]) -> list[RankedItem]:
    """The items with what each question's model proposes. Their scores only count down."""
    first = lanes[0].learner.question_id
    proposals = {
        lane.learner.question_id: dict(
            zip(lane.items, zip(lane.labels, lane.confidences, strict=True), strict=False)
        )
        for lane in lanes
    }
    ranked = []
    for place, item in enumerate(items):
        found = {question: of[item] for question, of in proposals.items() if item in of}
        label, sure = found.pop(first, (None, None))
        ranked.append(RankedItem(item, 1 - place / len(items), label, sure, found))
    return ranked
