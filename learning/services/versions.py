"""Model versions: what training drafts, its artifacts and its card; published once, never changed."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelling.models import Item
from learning.core.evaluation import evaluate
from learning.core.export import head_onnx, head_safetensors
from learning.core.methods import Head, softmax
from learning.models import Learner, ModelVersion, TrainingRun
from learning.services.artifacts import artifact_get, artifact_put, canonical_json
from learning.services.backbones import backbone_artifact
from learning.services.draws import Draws
from learning.services.snapshots import Snapshot

CARD_FORMAT = 1


@dataclass(frozen=True)
class VersionDraft:
    """A measured model whose artifacts are stored, but which nobody can see yet."""

    card: dict[str, Any]
    digest: str
    temperature: float


def version_draft(
    *,
    learner: Learner,
    snapshot: Snapshot,
    head: Head,
    config: Mapping[str, Any],
    holdout_items: NDArray[np.int64],
    holdout_embeddings: NDArray[np.float32],
    unlabelled: NDArray[np.int64],
    rules: dict[str, Any] | None = None,
    draws: Draws | None = None,
    others: Sequence[Snapshot] = (),
) -> VersionDraft:
    """Measure the head on the hold-out's labels, or by `draws` without one, and store it with its card.

    `config`: that the head was fitted by. `holdout_items` (h,): ids of the items whose embeddings (h, D) and
    labels it is measured on. `unlabelled`: ids of the items that it learned from without a label. `rules`:
    those it learned from, and their votes. `others`: the answers to other questions that it learned from.

    The card holds no time and no run number: the same labels, recipe and seed give the same digest.
    """
    items, labels = holdout_items, snapshot.holdout.labels
    logits = head.logits(holdout_embeddings)
    if draws is not None:
        items, labels, logits = draws.items, draws.labels, draws.logits
    evaluation = evaluate(logits, labels)
    temperature = evaluation.temperature
    judged = _judged(items, labels, softmax(logits / temperature))
    backbone = backbone_artifact(name=learner.backbone)
    names = [label.name for label in snapshot.classes]
    metrics = {
        "n": evaluation.n,
        "accuracy": evaluation.accuracy,
        "accuracy_low": evaluation.low,
        "accuracy_high": evaluation.high,
        "ece": evaluation.ece,
        "temperature": temperature,
        "per_class": [{"name": names[entry["index"]], **entry} for entry in evaluation.per_class],
        "confusion": evaluation.confusion,
        "confused": evaluation.confused,
        "reliability": evaluation.reliability,
        **(draws.metrics() if draws else {}),
    }
    card = {
        "format": CARD_FORMAT,
        "project": learner.project.slug,
        "question": learner.question.key,
        "classes": [{"id": label.pk, "name": label.name} for label in snapshot.classes],
        "method": learner.method,
        "config": dict(config),
        "seed": learner.seed,
        "backbone": {
            "name": backbone.name,
            "digest": backbone.digest,
            "input_size": backbone.input_size,
            "features": backbone.features,
        },
        "weights": artifact_put(data=head_safetensors(head), suffix=".safetensors"),
        "onnx": artifact_put(data=head_onnx(head, temperature, len(snapshot.classes)), suffix=".onnx"),
        "temperature": temperature,
        "labels": len(snapshot.pool.labels),
        "holdout_labels": len(snapshot.holdout.labels),
        "snapshot": artifact_put(data=snapshot.content, suffix=".json"),
        "unlabelled": {"items": len(unlabelled), "digest": hashlib.sha256(unlabelled.tobytes()).hexdigest()},
        **({"rules": rules} if rules else {}),
        **({"others": [artifact_put(data=one.content, suffix=".json") for one in others]} if others else {}),
        "note": head.note,
        "metrics": metrics,
        "judged": artifact_put(data=canonical_json(judged), suffix=".json"),
    }
    data = canonical_json(card)
    artifact_put(data=data, suffix=".json")
    return VersionDraft(card, hashlib.sha256(data).hexdigest(), temperature)


def _judged(
    items: NDArray[np.int64], labels: NDArray[np.int64], proba: NDArray[np.float64]
) -> list[dict[str, float]]:
    guesses = proba.argmax(axis=1)
    sure = np.round(proba.max(axis=1), 4)
    return [
        {"item": item, "truth": truth, "guess": guess, "confidence": confidence}
        for item, truth, guess, confidence in zip(
            items.tolist(), labels.tolist(), guesses.tolist(), sure.tolist(), strict=True
        )
    ]


def version_judged(*, version: ModelVersion, truth: int, guess: int) -> list[tuple[Item, float]]:
    """The items of class `truth`, of those it was measured on, that the version took for `guess`.

    With how sure it was, the surest first. Positions in the version's classes. Empty for a version of before
    these were kept.
    """
    if "judged" not in version.card:
        return []
    judged = json.loads(artifact_get(digest=version.card["judged"], suffix=".json"))
    found = [one for one in judged if (one["truth"], one["guess"]) == (truth, guess)]
    items = Item.objects.filter(project=version.project_id).in_bulk([one["item"] for one in found])
    surest = sorted(found, key=lambda one: -one["confidence"])
    return [(items[one["item"]], one["confidence"]) for one in surest if one["item"] in items]


def version_publish(*, run: TrainingRun, draft: VersionDraft) -> ModelVersion:
    """The draft as the project's next version, or its learner's newest one if nothing changed since.

    Call it in the publishing transaction, holding the lock on the project's row.
    """
    newest = ModelVersion.objects.filter(learner=run.learner_id).order_by("-number").first()
    if newest is not None and newest.digest == draft.digest:
        return newest
    numbers = ModelVersion.objects.filter(project=run.project_id).order_by("-number")
    return ModelVersion.objects.create(
        project=run.project,
        number=(numbers.values_list("number", flat=True).first() or 0) + 1,
        run=run,
        learner=run.learner,
        digest=draft.digest,
        method=draft.card["method"],
        backbone=draft.card["backbone"]["name"],
        labels=draft.card["labels"],
        holdout_labels=draft.card["holdout_labels"],
        metrics=draft.card["metrics"],
        card=draft.card,
    )
