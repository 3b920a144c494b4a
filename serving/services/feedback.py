"""What clients report to be true of their predictions."""

from django.db import IntegrityError, transaction

from labelling.models import Label
from serving.models import ApiKey, Feedback, Prediction


class UnknownLabel(ValueError):
    """The sentence to answer with."""


class FeedbackConflict(ValueError):
    """The sentence to answer with."""


def feedback_record(*, prediction: Prediction, key: ApiKey, label_name: str) -> tuple[Feedback, bool]:
    """The prediction's feedback, and whether it is new. Saying the same again changes nothing.

    Raises UnknownLabel, or FeedbackConflict when another label was reported before.
    """
    labels = list(Label.objects.filter(question__learner__model_versions=prediction.model_version_id))
    label = next((label for label in labels if label.name == label_name), None)
    if label is None:
        known = ", ".join(label.name for label in labels)
        raise UnknownLabel(f"There is no label '{label_name}' in this project. It has: {known}.")
    try:
        with transaction.atomic():
            return Feedback.objects.create(prediction=prediction, api_key=key, label=label), True
    except IntegrityError:
        standing = Feedback.objects.select_related("label").get(prediction=prediction)
    if standing.label_id != label.pk:
        raise FeedbackConflict(
            f"The feedback on this prediction says '{standing.label.name}' already; "
            f"it cannot become '{label.name}'."
        )
    return standing, False
