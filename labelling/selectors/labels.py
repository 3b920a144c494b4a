"""What has been said so far: what training, the panels and the queue's refresh read."""

from dataclasses import dataclass

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet

from labelling.models import Annotation, Consensus, Item, Lease, Project, Question


@dataclass(frozen=True)
class LabelCounts:
    """Labels given (a consensus each), by split, and the items there are."""

    pool: int
    holdout: int
    items: int
    pool_items: int
    holdout_items: int
    per_question: list[tuple[str, list[tuple[str, int]]]]  # prompt, then name and count of each label
    disagreed: int  # of the labels, those that not everyone gave who was asked

    @property
    def per_label(self) -> list[tuple[str, int]]:
        return [pair for _, labels in self.per_question for pair in labels]

    @property
    def questions(self) -> int:
        return len(self.per_question)

    @property
    def given(self) -> int:
        return self.pool + self.holdout

    @property
    def wanted(self) -> int:
        """As many labels as would answer everything."""
        return self.items * self.questions

    @property
    def pool_wanted(self) -> int:
        return self.pool_items * self.questions

    @property
    def holdout_wanted(self) -> int:
        return self.holdout_items * self.questions


def standing() -> QuerySet[Annotation]:
    """The annotations that count: neither superseded nor an undo; the oldest first."""
    successors = Annotation.objects.filter(supersedes=OuterRef("pk"))
    return Annotation.objects.exclude(kind=Annotation.Kind.UNDO).filter(~Exists(successors)).order_by("id")


def labelled(question: Question) -> list[tuple[int, int, str]]:
    """(item id, label id, split) of each item with a consensus on the question, by item id."""
    rows = Consensus.objects.filter(question=question).order_by("item_id")
    return list(rows.values_list("item_id", "label_id", "item__split"))


def asked_in_order(question: Question) -> list[tuple[int, bool]]:
    """Each item of the pool that someone answered or skipped, in the order of the first time, and whether it
    was then drawn at random from all that were left, not chosen.
    """
    said = Annotation.objects.filter(question=question, item__split=Item.Split.POOL)
    first = said.exclude(kind=Annotation.Kind.UNDO).order_by("item_id", "id").distinct("item_id")
    rows = sorted(first.values_list("id", "item_id", "source"))
    return [(item, source == Lease.Source.RANDOM) for _, item, source in rows]


def latest_annotation_id(project: Project) -> int:
    """The newest annotation's id (undos and skips too), 0 if there is none."""
    newest = Annotation.objects.filter(project=project).aggregate(newest=Max("id"))["newest"]
    return newest or 0


def label_counts(project: Project) -> LabelCounts:
    consensus = Consensus.objects.filter(project=project)
    split = consensus.values_list("item__split").order_by()
    counted = list(split.annotate(n=Count("id"), apart=Count("id", filter=Q(agreement__lt=1))))
    given = {name: n for name, n, _ in counted}
    there = dict(Item.objects.filter(project=project).values_list("split").annotate(n=Count("id")).order_by())
    by_label = dict(consensus.values_list("label_id").annotate(n=Count("id")).order_by())
    asked = Question.objects.filter(project=project).prefetch_related("labels")
    return LabelCounts(
        pool=given.get(Item.Split.POOL, 0),
        holdout=given.get(Item.Split.HOLDOUT, 0),
        items=sum(there.values()),
        pool_items=there.get(Item.Split.POOL, 0),
        holdout_items=there.get(Item.Split.HOLDOUT, 0),
        per_question=[
            (question.prompt, [(label.name, by_label.get(label.pk, 0)) for label in question.labels.all()])
            for question in asked
        ],
        disagreed=sum(apart for _, _, apart in counted),
    )


def pool_ids(project: Project) -> list[int]:
    """Ids of all items of the pool, answered or not; ascending."""
    rows = Item.objects.filter(project=project, split=Item.Split.POOL)
    return list(rows.order_by("id").values_list("id", flat=True))


def pool_sample(project: Project, most: int) -> list[int]:
    """Ids of the pool's items, answered or not; of more than `most`, those that come first at random."""
    rows = Item.objects.filter(project=project, split=Item.Split.POOL)
    return list(rows.order_by("random_rank", "id").values_list("id", flat=True)[:most])


def open_pool_ids(project: Project) -> list[int]:
    """Ids of the items that can be ranked: of the pool, still in need of answers; ascending."""
    rows = Item.objects.filter(project=project, split=Item.Split.POOL, open=True)
    return list(rows.order_by("id").values_list("id", flat=True))
