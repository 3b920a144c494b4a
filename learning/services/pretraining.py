"""Pretraining runs: asked for by a manager, done by a worker, compared with what a project uses now."""

import hashlib
import logging

import numpy as np
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils import timezone
from numpy.typing import NDArray

from labelling.core.images import ImageRefused, open_rgb
from labelling.models import Item, Project
from labelling.models.project import random_seed
from labelling.selectors import labelled
from labelling.services.blobs import file_write
from labelling.services.items import item_bytes
from learning.core.backbones import prepare
from learning.core.backbones.base import export
from learning.core.lazy import lazy
from learning.core.methods import METHODS, Head, TrainingData
from learning.core.methods.folds import folds, held_out_answers
from learning.core.pretraining import PRETRAININGS
from learning.models import Learner, PretrainingRun, Work
from learning.selectors import learner_of
from learning.services.artifacts import embedder_load
from learning.services.backbones import BackboneArtifact, backbone_artifact, backbone_store
from learning.services.work import WorkLost, work_claim, work_give_up, work_heartbeat, work_owned

logger = logging.getLogger(__name__)

pretrain = lazy("learning.core.networks.pretrain", often=False)
torch = lazy("torch", often=False)

# Pictures of the pool that a network of this size still learns something new from.
MOST_IMAGES = 20_000
THREADS = 2
FOLDS = 5
# Labelled items that two backbones are compared on.
COMPARED = 2_000

Images = NDArray[np.uint8]


def pretraining_request(*, project: Project, method: str) -> PretrainingRun:
    """Queue a pretraining on the project's pool. Raises ValidationError, with a sentence, if it cannot be."""
    if method not in PRETRAININGS:
        known = ", ".join(PRETRAININGS)
        raise ValidationError(f"There is no pretraining '{method}'; choose one of {known}.")
    if Item.objects.filter(project=project, split=Item.Split.POOL)[:2].count() < 2:
        raise ValidationError("Pretraining needs at least two images in the pool: import some first.")
    try:
        with transaction.atomic():
            return PretrainingRun.objects.create(project=project, method=method, seed=random_seed())
    except IntegrityError:
        raise ValidationError("A pretraining of this project is under way: wait for it or end it.") from None


def pretraining_end(*, run: PretrainingRun) -> None:
    """End it for a person: the worker stops at its next report. Nothing happens if it is over."""
    PretrainingRun.objects.filter(pk=run.pk, state__in=[Work.State.QUEUED, Work.State.RUNNING]).update(
        state=Work.State.FAILED, stage="", error="It was ended by a manager.", finished_at=timezone.now()
    )


def pretraining_do(*, run_id: int) -> bool:
    """Learn a backbone, store it, and let the project use it if it answers held-back labels better.

    True when this call finished the run. Harmless for one that is over or another worker's. A worker that
    takes it over goes on from the last epoch.
    """
    run = work_claim(PretrainingRun, pk=run_id, stage="reading the images")
    if run is None:
        return False
    try:
        with work_heartbeat(run):
            _do(run)
    except WorkLost as lost:
        logger.info("%s", lost)
    except Exception as error:
        logger.exception("Pretraining run %s failed.", run.pk)
        work_give_up(run, error, words="Pretraining stopped")
    else:
        return True
    return False


def _do(run: PretrainingRun) -> None:
    images = _images(_pool(run.project), pretrain.SIZE)  # (N, S, S, 3)
    work_owned(run, images=len(images))
    saved = f"pretraining/{run.pk}.safetensors"

    def report(share: float, words: str) -> None:
        work_owned(run, progress=share, stage=words)

    def keep(checkpoint: bytes) -> None:
        file_write(path=saved, data=checkpoint, durable=False)

    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        network = pretrain.pretrain(
            images,
            PRETRAININGS[run.method],
            run.config,
            run.seed,
            report=report,
            keep=keep,
            checkpoint=_checkpoint(saved),
        )
    finally:
        torch.set_num_threads(before)
    onnx = export(network, pretrain.SIZE)
    backbone = backbone_store(
        name=f"{run.method}-{hashlib.sha256(onnx).hexdigest()[:8]}",
        onnx=onnx,
        input_size=pretrain.SIZE,
        features=network.features,
    )
    work_owned(run, stage="comparing it with the backbone in use")
    note, better = _compared(run.project, backbone)
    with transaction.atomic():
        work_owned(
            run,
            state=Work.State.DONE,
            stage="",
            progress=1.0,
            backbone=backbone.name,
            note=note[:300],
            finished_at=timezone.now(),
        )
        if better:
            Learner.objects.filter(project=run.project_id).update(
                backbone=backbone.name, requested_at=timezone.now()
            )
    default_storage.delete(saved)


def _pool(project: Project) -> list[Item]:
    """The pool's items in their random order. Of the hold-out, not even the pictures are learned from."""
    pool = Item.objects.filter(project=project, split=Item.Split.POOL)
    return list(pool.order_by("random_rank", "id")[:MOST_IMAGES])


def _images(items: list[Item], size: int) -> Images:
    found = []
    for item in items:
        try:
            found.append(prepare(open_rgb(item_bytes(item=item)), size))
        except (ImageRefused, FileNotFoundError, ValueError) as error:
            logger.warning("Item %s (%s) cannot be learned from: %s", item.pk, item.name, error)
    return np.stack(found) if found else np.empty((0, size, size, 3), np.uint8)


def _checkpoint(path: str) -> bytes | None:
    try:
        with default_storage.open(path) as file:
            return bytes(file.read())
    except FileNotFoundError:
        return None


def _compared(project: Project, backbone: BackboneArtifact) -> tuple[str, bool]:
    """What held-back labels say of it beside the backbone in use, and whether it is the better one."""
    learner = learner_of(project)
    if learner is None:
        return "The project has no learner yet: it is kept, and not used so far.", False
    position = {label.pk: place for place, label in enumerate(learner.question.labels.all())}
    answers = [(pk, position[label]) for pk, label, split in labelled(learner.question) if split == "pool"]
    items = Item.objects.in_bulk([pk for pk, _ in answers[:COMPARED]])
    readable = [(items[pk], label) for pk, label in answers[:COMPARED] if pk in items]
    labels = np.array([label for _, label in readable], np.int64)
    parts = folds(labels, FOLDS, np.random.default_rng(0)) if len(np.unique(labels)) > 1 else []
    if not parts:
        return "No class has two labels yet to compare it by: it is kept, and not used so far.", False
    held_out = np.concatenate([rows for _, rows in parts])
    used = backbone_artifact(name=learner.backbone)
    right = []
    for one in (used, backbone):
        images = _images([item for item, _ in readable], one.input_size)
        if len(images) != len(readable):
            return "Some labelled images no longer decode: it is kept, and not used so far.", False
        data = TrainingData(_embedded(one, images), labels, len(position))
        right.append(int(held_out_answers(_fit, data, parts).sum()))
    better = right[1] > right[0]
    said = f"{right[1]} of {len(held_out)} held-back labels answered rightly, {used.name} {right[0]}"
    return f"{said}: {'it is used from now on' if better else f'{used.name} stays in use'}.", better


def _fit(data: TrainingData) -> Head:
    return METHODS["transfer"].fit(data, {}, np.random.default_rng(0))


def _embedded(backbone: BackboneArtifact, images: Images) -> NDArray[np.float32]:
    embedder = embedder_load(digest=backbone.digest)
    return np.concatenate([embedder.embed(images[i : i + 64]) for i in range(0, len(images), 64)])
