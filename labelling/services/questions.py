"""What a project asks. A refusal is a ValidationError whose messages are sentences for the person."""

from collections import Counter

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max, Q
from django.utils.text import slugify

from labelling.models import Item, Label, Project, Question
from labelling.services.annotations import annotations_hold

MAX_LABELS = 1000
MAX_QUESTIONS = 20
FIRST_KEY = "label"


@transaction.atomic
def question_add(*, project: Project, prompt: str, labels: list[str], key: str = "") -> Question:
    """Ask a further question of every image. Without a key, one is made from the prompt.

    What is answered stays answered; all images are open again, for the new question only.
    """
    # Whoever settles an item meanwhile would close it by the questions of before.
    annotations_hold(project=project)
    asked = Question.objects.filter(project=project)
    if asked.count() >= MAX_QUESTIONS:
        raise ValidationError(f"A project asks at most {MAX_QUESTIONS} questions.")
    last = asked.aggregate(last=Max("position"))["last"] or 0
    taken = set(asked.values_list("key", flat=True))
    question = Question(
        project=project, key=key.strip() or _key_for(prompt, taken), prompt=prompt.strip(), position=last + 1
    )
    if question.key in taken:
        raise ValidationError({"key": f"'{question.key}' is another question's short name: choose another."})
    names = label_names(labels)
    errors = question_errors(question, names)
    if errors:
        raise ValidationError(errors)
    question_save(question, names)
    items = Item.objects.filter(project=project)
    items.filter(Q(open=False) | Q(answers__gt=0)).update(open=True, answers=0)
    return question


def question_save(question: Question, names: list[str]) -> None:
    """Write a question of a saved project, with its labels in this order."""
    question.save()
    Label.objects.bulk_create(Label(question=question, name=n, position=i) for i, n in enumerate(names))


def question_errors(question: Question, names: list[str]) -> dict[str, list[str]]:
    """What is wrong with a question and its labels, by field; empty if nothing is."""
    errors: dict[str, list[str]] = {}
    try:
        question.full_clean(exclude={"project"}, validate_constraints=False)
    except ValidationError as error:
        errors |= error.message_dict
    if sentence := _wrong_labels(names):
        errors["labels"] = [sentence]
    return errors


def label_names(labels: list[str]) -> list[str]:
    return [label.strip() for label in labels if label.strip()]


def _wrong_labels(names: list[str]) -> str:
    if len(names) < 2:
        return "A question needs at least two labels: write one a line."
    if len(names) > MAX_LABELS:
        return f"{len(names)} labels are too many: {MAX_LABELS} at most."
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        return f"'{twice[0][:100]}' stands there twice: write each label once."
    if long := [name for name in names if len(name) > 100]:
        return f"'{long[0][:30]}…' is longer than 100 characters: shorten it."
    return ""


def _key_for(prompt: str, taken: set[str]) -> str:
    """A free key made from the prompt."""
    stem = slugify(prompt)[:40].strip("-") or "question"
    candidates = (f"{stem}-{number}" if number > 1 else stem for number in range(1, len(taken) + 2))
    return next(key for key in candidates if key not in taken)
