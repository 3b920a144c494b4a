"""Augmentation policies that a project keeps: stored, imported, pictured, and handed to trainings."""

import itertools
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from labelling.models import Item, Project
from labelling.services.blobs import blob_put
from learning.core.augmentation import AUGMENTATIONS, Augment, Policy, policy_from
from learning.core.lazy import lazy
from learning.core.shown import shown
from learning.models import AugmentationPolicy, Learner, PolicySearch
from learning.services.lessons import images_read

drawings = lazy("learning.core.children.pictures", often=False)

FORMAT = "quern-augmentation-policy"
SIZE = 32
PICTURED = 8
DEFAULT = "views"
MOST_BYTES, DEEPEST = 1_000_000, 20  # of an exported policy; what Quern writes has 8 levels
PATIENCE = timedelta(minutes=10)  # until a worker that was asked for examples is taken to be gone


def policy_keep(
    *,
    project: Project,
    policy: Policy,
    name: str,
    evidence: Mapping[str, Any],
    search: PolicySearch | None = None,
) -> AugmentationPolicy:
    """Keep a policy under a name of its own. One that is kept already stays as it is, with its name.

    Raises ValidationError, with a sentence, for a name that cannot be had.
    """
    if known := AugmentationPolicy.objects.filter(project=project, digest=policy.digest).first():
        return known
    if not name or len(name) > 60 or not name.isprintable():
        raise ValidationError(f"A policy cannot be called {shown(name)}: give it 1 to 60 letters.")
    if name.casefold() in {
        words.casefold() for one in AUGMENTATIONS.values() for words in (one.name, one.title)
    }:
        raise ValidationError(
            f"The name '{name}' is taken by a fixed augmentation: give this one its own name."
        )
    try:
        with transaction.atomic():
            return AugmentationPolicy.objects.create(
                project=project,
                name=name,
                policy=policy.as_json(),
                digest=policy.digest,
                evidence=dict(evidence),
                search=search,
            )
    except IntegrityError:
        raise ValidationError(f"Another policy is called '{name}': give this one its own name.") from None


def free_name(*, project: Project, name: str) -> str:
    """The name, or with the first number from 2 on by which no policy of the project is called."""
    taken = set(AugmentationPolicy.objects.filter(project=project).values_list("name", flat=True))
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(one for one in itertools.chain([name], numbered) if one not in taken)


def policy_import(*, project: Project, data: object) -> tuple[AugmentationPolicy, bool]:
    """Keep what `policy_export` wrote, here or elsewhere; and whether it was not kept already, under a name
    that stays. Raises ValidationError, with a sentence.
    """
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise ValidationError(f'This is not an exported policy: its "format" must be "{FORMAT}".')
    if wrong := _not_stored(data):
        raise ValidationError(f"An exported policy cannot {wrong}.")
    evidence, name = data.get("evidence", {}), data.get("name")
    if not isinstance(evidence, Mapping) or not isinstance(name, str):
        raise ValidationError('An exported policy has a "name" and an object of "evidence".')
    try:
        policy = policy_from(data.get("policy"))
    except ValueError as error:
        raise ValidationError(str(error)) from error
    if data.get("digest", policy.digest) != policy.digest:
        raise ValidationError(
            "This policy is not the one that was exported, and its evidence is of another: leave out "
            '"digest" and "evidence".'
        )
    if known := AugmentationPolicy.objects.filter(project=project, digest=policy.digest).first():
        return known, False
    return policy_keep(project=project, policy=policy, name=name.strip(), evidence=evidence), True


def _not_stored(data: Mapping[str, Any]) -> str:
    """What of it could not be stored, or not be read again, as words after "cannot"; "" if nothing."""
    if _deeper(data, DEEPEST):
        return f"be nested deeper than {DEEPEST} levels"
    try:
        written = json.dumps(data, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "hold half a surrogate pair, which is no character"
    except ValueError:
        return "hold NaN or infinities"
    if b"\\u0000" in written:
        return "hold a NUL character"
    return f"be larger than {MOST_BYTES:,} bytes" if len(written) > MOST_BYTES else ""


def _deeper(data: object, levels: int) -> bool:
    """Whether lists and objects lie in one another more than so many times."""
    if not isinstance(data, Mapping | list):
        return False
    inner = data.values() if isinstance(data, Mapping) else data
    return levels == 0 or any(_deeper(one, levels - 1) for one in inner)


def policy_delete(*, policy: AugmentationPolicy) -> None:
    """Raises ValidationError, with a sentence, while it is in use."""
    with transaction.atomic():
        learners = Learner.objects.select_for_update().filter(project=policy.project_id)
        if any(one.augmentation == policy.name for one in learners):
            raise ValidationError(f"{policy.name} is in use: choose another on the learner's page first.")
        policy.delete()


def policy_export(*, policy: AugmentationPolicy) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": policy.name,
        "policy": policy.policy,
        "digest": policy.digest,
        "evidence": policy.evidence,
    }


def augment_named(*, project: Project, name: str) -> Augment | None:
    """What a training changes pictures by; None for the views that networks learn from by default.

    Raises ValueError, with a sentence, for a name that is not there any more.
    """
    if name == DEFAULT:
        return None
    if name in AUGMENTATIONS:
        return AUGMENTATIONS[name].apply
    kept = AugmentationPolicy.objects.filter(project=project, name=name).first()
    if kept is None:
        raise ValueError(f"The augmentation '{name}' is gone: choose another on the learner's page.")
    return policy_from(kept.policy)


def policies_to_picture() -> list[int]:
    """Kept policies without examples, whose project has images; each is given out once in PATIENCE."""
    now = timezone.now()
    pool = Item.objects.filter(project=OuterRef("project"), split=Item.Split.POOL)
    new = AugmentationPolicy.objects.filter(Exists(pool), pictures="").filter(
        Q(picture_asked_at=None) | Q(picture_asked_at__lte=now - PATIENCE)
    )
    return [pk for pk in new.values_list("pk", flat=True) if new.filter(pk=pk).update(picture_asked_at=now)]


def policy_picture(*, policy_id: int) -> None:
    """Draw examples of a kept policy, for its page; again is harmless."""
    kept = AugmentationPolicy.objects.filter(pk=policy_id, pictures="").select_related("project").first()
    if kept is not None and (path := examples_draw(project=kept.project, policy=policy_from(kept.policy))):
        AugmentationPolicy.objects.filter(pk=policy_id).update(pictures=path)


def examples_draw(*, project: Project, policy: Policy) -> str:
    """Where the examples lie in storage; "" while the pool has no readable image."""
    pool = Item.objects.filter(project=project, split=Item.Split.POOL).order_by("random_rank", "id")
    images, _ = images_read(items=list(pool[:PICTURED]), size=SIZE)
    if not len(images):
        return ""
    path = f"projects/{project.pk}/policies/{policy.digest}.png"
    blob_put(path=path, data=drawings.examples_png(images, policy, 0))
    return path
