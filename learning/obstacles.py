"""Reads: what stands in the way of learning, in words for the project's page."""

from django.db.models import Exists, OuterRef

from labelling.models import Annotation, Consensus, Item, Project
from learning.core.methods import METHODS
from learning.models import EmbeddingShard, Learner, ModelVersion, Rule


def two_classes(learner: Learner) -> bool:
    """Whether people's labels of the pool are of two classes or more."""
    labels = Consensus.objects.filter(question=learner.question_id, item__split=Item.Split.POOL)
    one = labels.values_list("label_id", flat=True)[:1]
    return bool(one) and labels.exclude(label=one[0]).exists()


def nothing_to_learn(project: Project, learner: Learner) -> str:
    """Why there cannot be a new model while people's labels are of less than two classes; "" if there can."""
    pool = Item.objects.filter(project=project, split=Item.Split.POOL)
    if not pool.exists():
        return "Every image is held out for measuring: import more, so that there are some to learn from."
    rules = Rule.objects.filter(question=learner.question_id, enabled=True)
    by_rules = METHODS[learner.method].uses_rules and rules.exists()
    if ModelVersion.objects.filter(learner=learner).exists():
        if by_rules:
            return ""  # they may go on without labels
        return "The labels that are left are of one class: the last model stays until there are two again."
    if by_rules:
        return "Waiting for labels or votes of rules of two classes; then the first model is trained."
    said = Annotation.objects.filter(item=OuterRef("pk"))
    if not pool.filter(~Exists(said)).exists():
        if not Consensus.objects.filter(project=project).exists():
            return "Every image was skipped: nothing can be learned until some are answered."
        return "Every image was asked, and all answers are of one class: a model needs two."
    return "Waiting for labels of two classes; then the first model is trained."


def unreadable(learner: Learner) -> str:
    """Images whose files were lost or damaged since they came; "" as a rule."""
    shards = EmbeddingShard.objects.filter(project=learner.project_id, backbone=learner.backbone)
    failed = [pk for ids in shards.exclude(failed_ids=[]).values_list("failed_ids", flat=True) for pk in ids]
    if not failed:
        return ""
    names = Item.objects.filter(pk__in=failed).order_by("id").values_list("name", flat=True)[:3]
    some = ", ".join(names) + (", …" if len(failed) > 3 else "")
    count = "1 image" if len(failed) == 1 else f"{len(failed):,} images"
    return f"Nothing is learned from {count} whose file is lost or damaged: {some}. Restore it, or skip them."
