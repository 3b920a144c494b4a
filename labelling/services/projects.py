"""Projects and who is in them. A refusal is a ValidationError whose messages are sentences for the person."""

from collections.abc import Callable

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.text import slugify

from labelling.models import Item, Lease, Membership, Project, Question, Queue, QueueEntry, User
from labelling.services.annotations import annotations_hold
from labelling.services.questions import FIRST_KEY, label_names, question_errors, question_save

# `/projects/new/` is a page.
RESERVED_SLUGS = frozenset({"new"})


def slug_for(name: str) -> str:
    """A free slug made from the name."""
    stem = slugify(name)[:70].strip("-") or "project"
    taken = RESERVED_SLUGS | set(
        Project.objects.filter(slug__startswith=stem).values_list("slug", flat=True),
    )
    candidates = (f"{stem}-{number}" if number > 1 else stem for number in range(1, len(taken) + 2))
    return next(slug for slug in candidates if slug not in taken)


@transaction.atomic
def project_create(
    *, name: str, slug: str, prompt: str, labels: list[str], manager: User | None, **options: object
) -> Project:
    """Make a project with its first question "label", the question's labels and an empty queue.

    `options` are further fields of Project, such as overlap or holdout_share.
    """
    project = Project(name=name.strip(), slug=slug, **options)
    names = label_names(labels)
    question = Question(project=project, key=FIRST_KEY, prompt=prompt.strip())
    errors = question_errors(question, names)
    checks: list[Callable[[], None]] = [lambda: _refuse_reserved(slug), project.full_clean]
    for check in checks:
        try:
            check()
        except ValidationError as error:
            for field, sentences in error.message_dict.items():
                errors.setdefault(field, []).extend(sentences)
    if errors:
        raise ValidationError(errors)

    project.save()
    question_save(question, names)
    Queue.objects.create(project=project)
    if manager is not None:
        Membership.objects.create(project=project, user=manager, role=Membership.Role.MANAGER)
    return project


@transaction.atomic
def project_update(*, project: Project, **changes: object) -> Project:
    """Change the named fields. Fields that the draw of the hold-out depends on are fixed at creation.

    With more people an image, answered items are asked again; with fewer, those with enough answers are done.
    """
    allowed = {"name", "description", "overlap", "lease_seconds", "holdout_queue_share"}
    if fixed := changes.keys() - allowed:
        raise ValidationError(f"These are fixed when a project is made: {', '.join(sorted(fixed))}.")
    for field, value in changes.items():
        setattr(project, field, value)
    project.full_clean()
    if "overlap" in changes:
        # Whoever settles an item meanwhile would do it by the overlap of before.
        annotations_hold(project=project)
    project.save(update_fields=list(changes))
    if "overlap" in changes:
        _reopen(project)
    return project


def _reopen(project: Project) -> None:
    items = Item.objects.filter(project=project)
    items.filter(open=True, answers__gte=project.overlap).update(open=False)
    items.filter(open=False, answers__lt=project.overlap).update(open=True)
    QueueEntry.objects.filter(project=project, item__open=False).delete()


@transaction.atomic
def member_set(*, project: Project, user: User, role: str) -> Membership:
    """Add the user, or give a member another role."""
    if role not in Membership.Role.values:
        raise ValidationError(f"'{role}' is no role: choose one of {', '.join(Membership.Role.values)}.")
    if role != Membership.Role.MANAGER:
        _refuse_to_lose_last_manager(project, user)
    membership, _ = Membership.objects.update_or_create(project=project, user=user, defaults={"role": role})
    return membership


@transaction.atomic
def member_remove(*, project: Project, user: User) -> None:
    """End the membership. The person's annotations stay; items reserved for them go to others."""
    _refuse_to_lose_last_manager(project, user)
    removed, _ = Membership.objects.filter(project=project, user=user).delete()
    if not removed:
        raise ValidationError(f"{user.username} is not a member of {project.name}.")
    Lease.objects.filter(project=project, annotator=user).delete()


def _refuse_to_lose_last_manager(project: Project, user: User) -> None:
    """Call inside a transaction: it locks the project's row, so two managers cannot remove each other."""
    Project.objects.select_for_update().get(pk=project.pk)
    managers = Membership.objects.filter(project=project, role=Membership.Role.MANAGER)
    if list(managers.values_list("user_id", flat=True)) == [user.pk]:
        raise ValidationError(
            f"{user.username} is the only manager of {project.name}: make someone else a manager first."
        )


def _refuse_reserved(slug: str) -> None:
    if slug in RESERVED_SLUGS:
        raise ValidationError({"slug": f"The address '{slug}' is taken by Quern itself: choose another one."})
