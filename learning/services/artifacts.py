"""Content-addressed storage: bytes are kept, found and checked by their SHA-256. Nothing is ever unpickled.

Models that were loaded from it stay in the process: a request must not wait for one used a moment ago.
"""

import hashlib
import json
import os
import tempfile
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from learning.core.predictor import Embedder, Predictor
from learning.models import ModelVersion
from learning.services.cache import Cache

# A backbone is some 14 MB and slow to load, a head some 50 KB: many heads share one backbone.
_embedders: Cache[Embedder] = Cache(size=2)
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
    name = artifact_name(digest=digest, suffix=suffix)
    # A file of another length is what a crash of some storage left behind.
    if not default_storage.exists(name) or default_storage.size(name) != len(data):
        file_write(name=name, data=data)
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


def file_write(*, name: str, data: bytes) -> None:
    """Write a storage file so that readers see the old content or the new one, never a part."""
    try:
        target = Path(default_storage.path(name))
    except NotImplementedError:
        # An object store: it shows an object once it is complete.
        default_storage.save(name, ContentFile(data))
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files for their owner only; another user's web server may have to read this one.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def embedder_load(*, digest: str) -> Embedder:
    """The backbone whose ONNX has this digest."""
    return _embedders.get(
        digest,
        lambda: Embedder(artifact_get(digest=digest, suffix=".onnx"), threads=min(4, os.cpu_count() or 1)),
    )


def predictor_load(*, version: ModelVersion) -> Predictor:
    """The version, ready to predict; what its artifacts say is checked against their digests on loading."""
    return _predictors.get(version.digest, lambda: _predictor(version))


def _predictor(version: ModelVersion) -> Predictor:
    card = version.card
    return Predictor(
        embedder_load(digest=card["backbone"]["digest"]),
        artifact_get(digest=card["onnx"], suffix=".onnx"),
        [entry["name"] for entry in card["classes"]],
        card["backbone"]["input_size"],
    )
