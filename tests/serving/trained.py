"""Real models for the tests: the real backbone, a head fitted on twenty images, published like any other."""

import io
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from labelling.models import Project
from learning.core.backbones import prepare
from learning.core.methods import METHODS, TrainingData
from learning.models import Learner, ModelVersion, TrainingRun
from learning.services.artifacts import embedder_load
from learning.services.backbones import backbone_artifact
from learning.services.snapshots import Snapshot, Split
from learning.services.versions import version_draft
from tests import factories

DARK, LIGHT = (20, 30, 40), (240, 230, 220)


def picture(colour: tuple[int, int, int], seed: int = 0, kind: str = "PNG", size: int = 24) -> bytes:
    noise = np.random.default_rng(seed).integers(-15, 16, (size, size, 3))
    out = io.BytesIO()
    Image.fromarray(np.clip(noise + colour, 0, 255).astype(np.uint8)).save(out, kind)
    return out.getvalue()


def project(labels: tuple[str, ...] = ("dark", "light")) -> Project:
    made = factories.project(labels)
    Learner.objects.create(project=made, question=made.questions.get(), seed=7)
    return made


def version(
    project: Project,
    *,
    seed: int = 0,
    question: str = "label",
    taught: tuple[int, int] = (0, 1),
    features: int | None = None,
) -> ModelVersion:
    """A version that tells dark images from light ones; another seed learns from other images.

    `taught`: the label of dark and of light images; the other way round it is wrong about every image.
    `features`: it knows so many of the backbone's only, so that it can be loaded but fails on every image.
    """
    learner = Learner.objects.get(project=project, question__key=question)
    images = [picture(colour, seed * 100 + n) for n in range(10) for colour in (DARK, LIGHT)]
    labels = np.tile(np.array(taught, np.int64), 10)
    classes = list(learner.question.labels.all())
    embeddings = _embed(tuple(images))[:, :features]
    half = len(images) // 2
    snapshot = Snapshot(
        classes,
        Split(np.arange(half), labels[:half]),
        Split(np.arange(half, 2 * half), labels[half:]),
        b"{}",
        "0" * 64,
    )
    head = METHODS["transfer"].fit(
        TrainingData(embeddings[:half], labels[:half], len(classes)), {}, np.random.default_rng(seed)
    )
    draft = version_draft(
        learner=learner,
        snapshot=snapshot,
        head=head,
        config={},
        holdout_items=np.arange(half, dtype=np.int64),
        holdout_embeddings=embeddings[half:],
        unlabelled=np.empty(0, np.int64),
    )
    made = bare_version(project, question=question)
    ModelVersion.objects.filter(pk=made.pk).delete()
    return ModelVersion.objects.create(
        project=project,
        number=made.number,
        run=made.run,
        learner=learner,
        digest=draft.digest,
        method="transfer",
        backbone=learner.backbone,
        labels=half,
        holdout_labels=half,
        metrics=draft.card["metrics"],
        card=draft.card,
    )


def bare_version(
    project: Project,
    accuracy: float | None = None,
    low: float | None = None,
    high: float | None = None,
    question: str = "label",
) -> ModelVersion:
    """A version's row alone, for rules that look at its figures only."""
    learner = Learner.objects.get(project=project, question__key=question)
    run = TrainingRun.objects.create(
        project=project, learner=learner, seed=1, through_annotation=0, state=TrainingRun.State.DONE
    )
    return ModelVersion.objects.create(
        project=project,
        number=ModelVersion.objects.filter(project=project).count() + 1,
        run=run,
        learner=learner,
        digest=f"{run.pk:064x}",
        method="transfer",
        backbone=learner.backbone,
        labels=10,
        holdout_labels=0 if accuracy is None else 100,
        metrics={"accuracy": accuracy, "accuracy_low": low, "accuracy_high": high},
        card={},
    )


@cache
def _embed(images: tuple[bytes, ...]) -> NDArray[np.float32]:
    """By the real backbone; a hundred tests begin with the same images."""
    artifact = backbone_artifact(name="efficientnet-lite0")
    opened = [Image.open(io.BytesIO(data)).convert("RGB") for data in images]
    pixels = np.stack([prepare(image, artifact.input_size) for image in opened])
    return embedder_load(digest=artifact.digest).embed(pixels)
