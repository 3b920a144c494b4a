"""Interleaving where annotators label: some images of the pool are asked beside one list of both models.

The lists are made ahead, by a worker, so the annotator's page waits for no model. Their images are drawn
evenly from what nobody has spoken of. A ranking's own would favour a model: what one is unsure of, it gets
wrong more often than another. Neither arm has learned from them; answers beside a list measure nothing else.
"""

import logging
import uuid
from collections.abc import Sequence

import numpy as np
from django.core.files.storage import default_storage
from django.db import transaction

from labelling.core.images import ImageRefused, open_rgb
from labelling.models import Item, Suggestion, Wanted
from labelling.services.suggestions import Listed, items_drawn, suggestions_offer, suggestions_withdraw
from learning.core.backbones import prepare
from learning.services.artifacts import ArtifactDamaged, predictor_load
from serving.core.modes import CHALLENGER, CHAMPION
from serving.models import Offer, Rollout
from serving.services.inference import Batch, ModelFailed, Said
from serving.services.loaded import LoadedModel
from serving.services.merging import drafted

logger = logging.getLogger(__name__)

REASON = "Drawn at random, to compare the suggestions of a rollout's models."
AHEAD = 40  # images that wait with their lists
_LEAST = 20


def offers_missing() -> list[Rollout]:
    """Running rollouts that ask annotators too and have few lists left."""
    running = Rollout.objects.filter(
        mode="interleaving", state=Rollout.State.RUNNING, config__annotators=True
    ).select_related("question__project")
    return [rollout for rollout in running if _waiting(rollout) < _LEAST and _any_left(rollout)]


def _waiting(rollout: Rollout) -> int:
    """Its lists that nobody has answered beside yet."""
    mine = Wanted.objects.filter(project=rollout.project_id, kind=Wanted.Kind.LISTED)
    return mine.filter(item__in=Offer.objects.filter(rollout=rollout).values("item")).count()


def _any_left(rollout: Rollout) -> bool:
    return bool(items_drawn(question=rollout.question, count=1, rng=np.random.default_rng()))


def offers_make(*, rollout: Rollout) -> int:
    """Draw images and offer their merged lists; return how many. It loads models: not for a request."""
    question = rollout.question
    items, images = _readable(
        items_drawn(question=question, count=AHEAD - _waiting(rollout), rng=np.random.default_rng())
    )
    if not items:
        return 0
    try:
        said = _said(rollout, images)
    except (ModelFailed, ArtifactDamaged, OSError) as failure:
        logger.warning("Rollout %d has no lists for annotators: %s", rollout.pk, failure)
        return 0
    labels = {label.name: label.pk for label in question.labels.all()}
    offers, lists = [], []
    for row, item in enumerate(items):
        seed, rankings, draft = drafted(said[CHAMPION][row], said[CHALLENGER][row], rollout.config["length"])
        token = uuid.uuid4()
        drawn = zip(draft.labels, draft.teams, strict=True)
        picked = [(labels[name], team) for name, team in drawn if name in labels]
        known = {arm: [labels[name] for name in of if name in labels] for arm, of in rankings.items()}
        offers.append(
            Offer(id=token, rollout=rollout, item=item, seed=seed, rankings=known, votes=dict(picked))
        )
        lists.append(Listed(item.pk, [label for label, _ in picked], token))
    with transaction.atomic():
        taken = suggestions_offer(question=question, lists=lists, reason=REASON)
        Offer.objects.bulk_create(offer for offer in offers if offer.pk in taken)
    return len(taken)


def offers_withdraw() -> None:
    """Show no list any more whose rollout does not run."""
    running = Rollout.objects.filter(state=Rollout.State.RUNNING)
    offered = Suggestion.objects.filter(offered=True).values("token")
    stale = Offer.objects.filter(pk__in=offered).exclude(rollout__in=running)
    tokens = list(stale.values_list("pk", flat=True))
    if tokens:
        suggestions_withdraw(tokens=tokens)


def _readable(items: Sequence[Item]) -> tuple[list[Item], list[bytes]]:
    """Those whose images are there and can be read; the others are shown without a list, as ever."""
    found: list[tuple[Item, bytes]] = []
    for item in items:
        try:
            with default_storage.open(item.path) as file:
                data = file.read()
            open_rgb(data)
        except (OSError, ImageRefused):
            continue
        found.append((item, data))
    return [item for item, _ in found], [data for _, data in found]


def _said(rollout: Rollout, images: Sequence[bytes]) -> dict[str, dict[int, Said]]:
    """What both arms say of the images, by arm and row. Raises ModelFailed."""
    arms = {arm.name: arm.model_version for arm in rollout.arms.select_related("model_version")}
    models = {
        name: LoadedModel(version.pk, version.number, version.digest, predictor_load(version=version))
        for name, version in arms.items()
        if name in (CHAMPION, CHALLENGER)
    }
    sizes = {model.predictor.input_size for model in models.values()}
    opened = [open_rgb(data) for data in images]
    batch = Batch({size: [prepare(one, size) for one in opened] for size in sizes})
    rows = list(range(len(images)))
    return {name: batch.ask(model, rows) for name, model in models.items()}
