"""References of drift as artifacts: written by workers, loaded by web processes with the champion."""

import logging
import time

import numpy as np
from safetensors.numpy import load, save

from learning.services.artifacts import artifact_get, artifact_put
from learning.services.cache import Cache
from serving.core.statistics.input_drift import InputReference
from serving.services.loaded import LoadedReference

logger = logging.getLogger(__name__)

SUFFIX = ".safetensors"
SECONDS_BETWEEN_TRIES = 5.0

# Of some 300 KB each.
_references: Cache[LoadedReference] = Cache(size=32)
_lost: dict[str, float] = {}  # digests that could not be loaded, until when they are not tried again


def reference_put(reference: InputReference, embedder: str) -> str:
    """Store it; return its digest. `embedder`: digest of the backbone's ONNX."""
    tensors = {name: np.ascontiguousarray(value) for name, value in vars(reference).items()}
    of = np.frombuffer(bytes.fromhex(embedder), np.uint8)
    return artifact_put(data=save({**tensors, "embedder": of}), suffix=SUFFIX)


def reference_load(digest: str) -> LoadedReference | None:
    """None for "", and if it cannot be read: then images are answered all the same, and not compared."""
    if not digest or _lost.get(digest, 0.0) > time.monotonic():
        return None
    try:
        return _references.get(digest, lambda: _read(digest))
    except Exception:
        logger.exception("What images are compared with cannot be loaded.")
        _lost[digest] = time.monotonic() + SECONDS_BETWEEN_TRIES
        return None


def _read(digest: str) -> LoadedReference:
    tensors = load(artifact_get(digest=digest, suffix=SUFFIX))
    embedder = tensors.pop("embedder").tobytes().hex()
    return LoadedReference(digest, embedder, InputReference(**tensors))
