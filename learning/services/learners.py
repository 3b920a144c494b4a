"""Learners: every question gets one; a manager changes its recipe."""

from django.core.exceptions import ValidationError
from django.utils import timezone

from labelling.models import Question
from learning.core.shown import shown
from learning.core.strategies import STRATEGIES
from learning.models import Learner
from learning.policy_selectors import augmentations_of
from learning.selectors import backbones_of, methods_lacking, methods_offered
from learning.services.runs import trainings_end

# What one training may be allowed: seconds, megabytes.
SECONDS = (1, 86_400)
MEGABYTES = (20, 1_000_000)
RECIPE = (
    *("enabled", "backbone", "method", "strategy", "augmentation"),
    *("retrain_after", "queue_length", "target", "training_seconds", "training_megabytes"),
)


def learners_ensure() -> None:
    """Give each question without a learner one; two ticks at once make one, by the unique constraint.

    A further question's has the recipe of the project's first, and asks for a ranking at once.
    """
    missing = Question.objects.filter(learner__isnull=True).order_by("position", "id")
    for question, project in missing.values_list("pk", "project_id"):
        learner = Learner(question_id=question, project_id=project)
        first = Learner.objects.filter(project=project).order_by("question__position", "question_id").first()
        if first is not None:
            for name in RECIPE:
                setattr(learner, name, getattr(first, name))
            learner.requested_at = timezone.now()
        Learner.objects.bulk_create([learner], ignore_conflicts=True)


def learner_update(
    *,
    learner: Learner,
    strategy: str | None = None,
    method: str | None = None,
    backbone: str | None = None,
    augmentation: str | None = None,
    retrain_after: int | None = None,
    target: float | None = None,
    training_seconds: int | None = None,
    training_megabytes: int | None = None,
    enabled: bool | None = None,
) -> Learner:
    """Change the recipe and ask for a new ranking, which follows although no label has come; a learner that
    is switched off ends what it trains.

    The questions of a project share it: they are answered from the same features, and asked in one queue.
    Raises ValidationError, with one sentence, for a name that is not registered or a number that cannot be.
    """
    if strategy is not None and strategy not in STRATEGIES:
        raise ValidationError(
            f"There is no strategy {shown(strategy)}; choose one of {', '.join(STRATEGIES)}."
        )
    if method is not None and (sentence := methods_lacking(learner).get(method)):
        raise ValidationError(sentence)
    if method is not None and method not in (offered := methods_offered(learner)):
        raise ValidationError(f"There is no method {shown(method)}; choose one of {', '.join(offered)}.")
    if backbone is not None and backbone not in (known := backbones_of(learner.project)):
        raise ValidationError(f"There is no backbone {shown(backbone)}; choose one of {', '.join(known)}.")
    if augmentation is not None and augmentation not in (ways := augmentations_of(learner.project)):
        raise ValidationError(
            f"There is no augmentation {shown(augmentation)}; choose one of {', '.join(ways)}."
        )
    if retrain_after is not None and retrain_after < 1:
        raise ValidationError(f"Retraining after {retrain_after} labels cannot be: give a number from 1 on.")
    if target is not None and not 0.5 <= target <= 0.999:
        raise ValidationError(f"An accuracy of {100 * target:g}% cannot be aimed at: give 50 to 99.9%.")
    if training_seconds is not None and not SECONDS[0] <= training_seconds <= SECONDS[1]:
        raise ValidationError(f"A training cannot be given {training_seconds:,} seconds: give 1 to 86,400.")
    if training_megabytes is not None and not MEGABYTES[0] <= training_megabytes <= MEGABYTES[1]:
        raise ValidationError(
            f"A training cannot be given {training_megabytes:,} megabytes: give 20 to 1,000,000."
        )
    wanted = {
        "strategy": strategy,
        "method": method,
        "backbone": backbone,
        "augmentation": augmentation,
        "retrain_after": retrain_after,
        "target": target,
        "training_seconds": training_seconds,
        "training_megabytes": training_megabytes,
        "enabled": enabled,
    }
    # Only these columns: what training writes meanwhile must stand.
    Learner.objects.filter(project=learner.project_id).update(
        requested_at=timezone.now(), **{name: value for name, value in wanted.items() if value is not None}
    )
    if enabled is False:
        trainings_end(project=learner.project)
    learner.refresh_from_db()
    return learner
