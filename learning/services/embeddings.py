"""Embedding a shard of items. `pool_embeddings` reads what comes out."""

import io
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from labelling.core.images import ImageRefused, open_rgb
from labelling.models import Item
from labelling.services.blobs import storage_fault
from labelling.services.items import item_bytes
from learning.core.backbones import prepare
from learning.models import EmbeddingShard
from learning.services.artifacts import artifact_name, artifact_put, embedder_load
from learning.services.backbones import backbone_artifact
from learning.services.shards import shard_claim, shard_progress, shard_publish, shard_release

logger = logging.getLogger(__name__)

DECODED = 64  # images at least that are decoded, and reported as done, at once
DECODERS = 4


def shard_embed(*, shard_id: int) -> bool:
    """Embed one shard, if it is still to be had. True when this call published it.

    Killed in the middle, it leaves nothing behind but a claim that grows stale.
    """
    shard = shard_claim(shard_id=shard_id)
    if shard is None:
        return False
    try:
        return _embed(shard)
    except Exception as error:
        shard_release(shard=shard, error=f"Embedding failed: {storage_fault(error)}")
        raise


def _embed(shard: EmbeddingShard) -> bool:
    backbone = backbone_artifact(name=shard.backbone)
    embedder = embedder_load(digest=backbone.digest)
    items = Item.objects.in_bulk(shard.item_ids)
    ids: list[int] = []
    failed: list[int] = []
    parts: list[NDArray[np.float16]] = []
    done = 0
    there = [items[pk] for pk in shard.item_ids if pk in items]
    for decoded in _decoded(there, backbone.input_size, max(DECODED, embedder.batch)):
        good = [(pk, image) for pk, image in decoded if image is not None]
        failed += [pk for pk, image in decoded if image is None]
        if good:
            ids += [pk for pk, _ in good]
            images = np.stack([image for _, image in good])  # (B, S, S, 3)
            batches = range(0, len(images), embedder.batch)
            # (B, D) each
            parts += [embedder.embed(images[at : at + embedder.batch]).astype(np.float16) for at in batches]
        done += len(decoded)
        if not shard_progress(shard=shard, done=done):
            logger.info("Shard %s of project %s is no longer wanted.", shard.number, shard.project_id)
            return False
    matrix = np.concatenate(parts) if parts else np.empty((0, backbone.features), np.float16)
    out = io.BytesIO()
    np.save(out, matrix, allow_pickle=False)
    digest = artifact_put(data=out.getvalue(), suffix=".npy")
    path = artifact_name(digest=digest, suffix=".npy")
    return shard_publish(shard=shard, item_ids=ids, failed_ids=failed, path=path, digest=digest)


def _decoded(
    items: list[Item], size: int, count: int
) -> Iterator[list[tuple[int, NDArray[np.uint8] | None]]]:
    """So many prepared images at a time; the next ones are decoded while the caller embeds these."""
    batches = [items[start : start + count] for start in range(0, len(items), count)]
    with ThreadPoolExecutor(DECODERS) as decoders:
        ahead = [decoders.submit(_prepared, item, size) for item in batches[0]] if batches else []
        for number, batch in enumerate(batches):
            current = ahead
            following = batches[number + 1] if number + 1 < len(batches) else []
            ahead = [decoders.submit(_prepared, item, size) for item in following]
            yield [(item.pk, future.result()) for item, future in zip(batch, current, strict=True)]


def _prepared(item: Item, size: int) -> NDArray[np.uint8] | None:
    try:
        return prepare(open_rgb(item_bytes(item=item)), size)
    except (ImageRefused, FileNotFoundError, ValueError) as error:
        # ValueError and its kin: what Pillow says of a picture whose pixels cannot be converted.
        logger.warning("Item %s (%s) cannot be embedded: %s", item.pk, item.name, error)
        return None
