"""What int8 is worth to each version: its own head on int8 embeddings of the items that measured it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import Exists, OuterRef

from labelling.models import Item
from learning.core.export import head_read
from learning.core.precision import choose
from learning.models import EmbeddingShard, ModelVersion, QuantisedBackbone, QuantisedExport, Work
from learning.services.artifacts import ArtifactDamaged, artifact_get
from learning.services.pool_embeddings import PoolEmbeddings, embeddings_open
from learning.services.snapshots import rows_of

AT_ONCE = 20  # versions, the newest first
NO_HOLDOUT = "float32 answers: no hold-out label measured this version, so nothing can tell what int8 costs."

OTHER_BACKBONE = "float32 answers: what int8 was made of is another backbone of the same name."


@dataclass(frozen=True)
class _Counts:
    labels: int
    right: int
    right_int8: int


def exports_waiting() -> list[int]:
    """The int8 backbones that a version waits for whose hold-out they have embedded."""
    unmeasured = ModelVersion.objects.filter(
        project=OuterRef("project"), backbone=OuterRef("backbone"), quantised=None
    )
    done = QuantisedBackbone.objects.filter(Exists(unmeasured), state=Work.State.DONE)
    return [made.pk for made in done if _ready(made)]


def exports_measure(*, quantised_id: int) -> int:
    """Measure the newest versions that are not measured yet; how many. Never changes what was measured."""
    made = QuantisedBackbone.objects.filter(pk=quantised_id, state=Work.State.DONE).first()
    if made is None:
        return 0
    unmeasured = ModelVersion.objects.filter(project=made.project_id, backbone=made.backbone, quantised=None)
    versions = list(unmeasured.order_by("-number")[:AT_ONCE])
    # In this order: what a version was measured on is embedded if everything is.
    if not versions or not _ready(made):
        return 0
    embeddings = embeddings_open(project=made.project, backbone=made.name)
    found = [_export(made, version, embeddings) for version in versions]
    # Another worker may measure the same ones now, to the same figures.
    QuantisedExport.objects.bulk_create(found, ignore_conflicts=True)
    return len(found)


def _ready(made: QuantisedBackbone) -> bool:
    """The whole hold-out is embedded."""
    holdout = Item.objects.filter(project=made.project_id, split=Item.Split.HOLDOUT).order_by("-id")
    newest = holdout.values_list("id", flat=True).first() or 0
    shards = EmbeddingShard.objects.filter(project=made.project_id, backbone=made.name)
    covered = shards.order_by("-number").values_list("last_item", flat=True).first() or 0
    return covered >= newest and not shards.filter(path="").exists()


def _export(made: QuantisedBackbone, version: ModelVersion, embeddings: PoolEmbeddings) -> QuantisedExport:
    def row(used: bool, why: str, counts: _Counts = _Counts(0, 0, 0)) -> QuantisedExport:
        return QuantisedExport(version=version, made=made, used=used, why=why[:300], **vars(counts))

    if version.metrics.get("basis") or not version.metrics.get("n") or "judged" not in version.card:
        return row(False, NO_HOLDOUT)
    if version.card["backbone"]["digest"] != made.exact:
        return row(False, OTHER_BACKBONE)
    try:
        counts = _counts(version, embeddings)
    except (FileNotFoundError, ArtifactDamaged) as error:
        return row(False, f"float32 answers: int8 could not be measured: {error}")
    ms, ms_int8 = made.speeds["1"]
    choice = choose(**vars(counts), ms=ms, ms_int8=ms_int8)
    return row(choice.int8, choice.why, counts)


def _counts(version: ModelVersion, embeddings: PoolEmbeddings) -> _Counts:
    """Of the items that measured the version; one that was deleted since counts for neither."""
    judged: Sequence[dict[str, int]] = json.loads(artifact_get(digest=version.card["judged"], suffix=".json"))
    rows = rows_of(np.array([one["item"] for one in judged], np.int64), embeddings.ids)
    there = rows >= 0
    truth, guess = (np.array([one[name] for one in judged], np.int64)[there] for name in ("truth", "guess"))
    head = head_read(artifact_get(digest=version.card["weights"], suffix=".safetensors"))
    guess_int8 = (
        head.logits(embeddings.take(rows[there])).argmax(axis=1) if there.any() else np.empty(0, np.int64)
    )
    return _Counts(len(truth), int((guess == truth).sum()), int((guess_int8 == truth).sum()))
