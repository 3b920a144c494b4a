"""What a project's features are learned from: its pool's pictures, its labels, other projects' labels."""

import logging

import numpy as np
from django.db.models import Count
from numpy.typing import NDArray

from labelling.core.images import ImageRefused, open_rgb
from labelling.models import Consensus, Item, Project, Question
from labelling.selectors import labelled
from labelling.services.items import item_bytes
from learning.core.backbones import prepare
from learning.core.pretraining import Answered, Lessons, Pretraining
from learning.core.pretraining.base import LACKING
from learning.models import Learner
from learning.selectors import learner_of

logger = logging.getLogger(__name__)

# Pictures of the pool that a network of this size still learns something new from, and what they may weigh.
MOST_IMAGES, MOST_BYTES = 20_000, 150_000_000
# Of a way that looks at labelled pictures only.
FEW_IMAGES = 1_000
MOST_LABELLED = 5_000
OTHERS, MOST_OF_ANOTHER = 8, 1_000

Images = NDArray[np.uint8]


def lessons_lacking(*, project: Project, way: Pretraining) -> str:
    """In words, what the way needs and the project has not; "" when it can be begun."""
    lacking = []
    learner = learner_of(project)
    if "own" in way.needs and (learner is None or _classes(learner.question, 1) < 2):
        lacking.append(LACKING["own"])
    if "episodes" in way.needs and not any(_classes(question, 2) > 1 for question in Question.objects.all()):
        lacking.append(LACKING["episodes"])
    return " and ".join(lacking)


def _classes(question: Question, least: int) -> int:
    """Labels that so many items of the pool have."""
    known = Consensus.objects.filter(question=question, item__split=Item.Split.POOL)
    counts = known.values("label").annotate(items=Count("id")).filter(items__gte=least)
    return int(counts.count())


def lessons_read(*, project: Project, way: Pretraining, size: int) -> Lessons:
    """The pictures (., size, size, 3) and labels that the way learns from.

    Of any hold-out, not even the pictures are learned from.
    """
    pool = Item.objects.filter(project=project, split=Item.Split.POOL).order_by("random_rank", "id")
    most = FEW_IMAGES if way.draws else min(MOST_IMAGES, MOST_BYTES // (3 * size * size))
    images, _ = images_read(items=list(pool[:most]), size=size)
    learner = learner_of(project)
    if not way.from_labels or learner is None:
        return Lessons(images)
    own = _answered(learner.question, size, MOST_LABELLED)
    others = Learner.objects.exclude(project=project).select_related("question").order_by("-id")
    able = [one.question for one in others if _classes(one.question, 2) > 1]
    wanted = able[:OTHERS] if "episodes" in way.needs else []
    return Lessons(images, own, tuple(_answered(question, size, MOST_OF_ANOTHER) for question in wanted))


def _answered(question: Question, size: int, most: int) -> Answered:
    """The question's labelled pictures of the pool, a random part if there are more than `most`."""
    position = {label.pk: place for place, label in enumerate(question.labels.all())}
    known = [(pk, position[label]) for pk, label, split in labelled(question) if split == Item.Split.POOL]
    if len(known) > most:
        rows = np.sort(np.random.default_rng(question.pk).permutation(len(known))[:most])
        known = [known[row] for row in rows]
    items = Item.objects.in_bulk([pk for pk, _ in known])
    there = [(items[pk], label) for pk, label in known if pk in items]
    images, readable = images_read(items=[item for item, _ in there], size=size)
    return Answered(images, np.array([there[row][1] for row in readable], np.int64))


def images_read(*, items: list[Item], size: int) -> tuple[Images, list[int]]:
    """The pictures that still decode, (n, size, size, 3), and their places in `items`."""
    found, places = [], []
    for place, item in enumerate(items):
        try:
            found.append(prepare(open_rgb(item_bytes(item=item)), size))
        except (ImageRefused, FileNotFoundError, ValueError) as error:
            logger.warning("Item %s (%s) cannot be learned from: %s", item.pk, item.name, error)
        else:
            places.append(place)
    return np.stack(found) if found else np.empty((0, size, size, 3), np.uint8), places
