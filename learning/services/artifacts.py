"""Content-addressed storage: bytes are kept, found and checked by their SHA-256. Nothing is ever unpickled.

Models that were loaded from it stay in the process: a request must not wait for one used a moment ago.
"""

import hashlib
import json
import os

from django.core.files.storage import default_storage

from labelling.services.blobs import blob_put
from learning.core.predictor import Embedder, Predictor
from learning.models import ModelVersion
from learning.services.batch_metrics import batch_seen
from learning.services.cache import Cache
from learning.services.knees import knee_here

# A backbone is some 14 MB, in int8 4, and slow to load, a head some 50 KB: many heads share one backbone.
_embedders: Cache[Embedder] = Cache(size=4)
_predictors: Cache[Predictor] = Cache(size=32)


class ArtifactDamaged(RuntimeError):
    """The stored bytes are not the ones that were put under this digest."""


def canonical_json(value: object) -> bytes:
    """The one spelling of a JSON value, so that equal values have equal digests. Refuses NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def artifact_name(*, digest: str, suffix: str) -> str:
    return f"artifacts/{digest[:2]}/{digest}{suffix}"


def artifact_put(*, data: bytes, suffix: str) -> str:
    """Store the bytes, whole or not at all, unless they are there already; return their digest."""
    digest = hashlib.sha256(data).hexdigest()
    blob_put(path=artifact_name(digest=digest, suffix=suffix), data=data, durable=True)
    return digest


def artifact_get(*, digest: str, suffix: str) -> bytes:
    """The bytes of this digest.

    Raises FileNotFoundError if there are none, ArtifactDamaged if they are no longer the same.
    """
    name = artifact_name(digest=digest, suffix=suffix)
    with default_storage.open(name) as file:
        data: bytes = file.read()
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise ArtifactDamaged(f"{name} is damaged: its SHA-256 is {found}. Restore the file from a backup.")
    return data


def embedder_load(*, digest: str) -> Embedder:
    """The backbone whose ONNX has this digest."""
    return _embedders.get(digest, lambda: _embedder(digest))


def _embedder(digest: str) -> Embedder:
    onnx = artifact_get(digest=digest, suffix=".onnx")
    made = Embedder(onnx, threads=min(4, os.cpu_count() or 1), watch=batch_seen)
    made.batches_of(knee_here(digest=digest, measure=made.throughput).batch)
    return made


def predictor_load(*, version: ModelVersion, int8: str = "") -> Predictor:
    """The version, ready to predict; what its artifacts say is checked against their digests on loading.

    `int8`: the digest of the int8 backbone that its head is to stand on; without one, on float32.
    """
    return _predictors.get((version.digest, int8), lambda: _predictor(version, int8))


def _predictor(version: ModelVersion, int8: str) -> Predictor:
    card = version.card
    return Predictor(
        embedder_load(digest=int8 or card["backbone"]["digest"]),
        artifact_get(digest=card["onnx"], suffix=".onnx"),
        [entry["name"] for entry in card["classes"]],
        card["backbone"]["input_size"],
    )
