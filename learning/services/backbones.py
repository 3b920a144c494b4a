"""Backbones as artifacts: exported once, then the same bytes everywhere and always."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from django.core.files.storage import default_storage
from django.db import connection

from labelling.services.blobs import file_write
from learning.core.backbones import BACKBONES
from learning.services.artifacts import artifact_put, canonical_json

_known: dict[tuple[str, str], "BackboneArtifact"] = {}
_exporting = threading.Lock()


@dataclass(frozen=True)
class BackboneArtifact:
    """A backbone's ONNX in storage, and the shapes it works with."""

    name: str
    digest: str
    input_size: int
    features: int


def backbone_artifact(*, name: str) -> BackboneArtifact:
    """The stored backbone; exports it first if this storage has none yet (some seconds: for workers only).

    Raises KeyError for a name that is neither registered nor stored.
    """
    # The place is part of the key: another storage is another set of artifacts.
    key = (str(getattr(default_storage, "base_location", "")), name)
    if key in _known:
        return _known[key]
    with _exporting:
        found = _read(name)
        if found is None:
            with _alone_on_this_database(f"backbone {name}"):
                found = _read(name) or _export(name)
    _known[key] = found
    return found


def _pointer(name: str) -> str:
    return f"backbones/{name}.json"


def _read(name: str) -> BackboneArtifact | None:
    try:
        with default_storage.open(_pointer(name)) as file:
            return BackboneArtifact(**json.loads(file.read()))
    except FileNotFoundError:
        return None


def _export(name: str) -> BackboneArtifact:
    if name not in BACKBONES:
        raise KeyError(f"There is no backbone '{name}'; choose one of {', '.join(sorted(BACKBONES))}.")
    backbone = BACKBONES[name]
    return backbone_store(
        name=name, onnx=backbone.export(), input_size=backbone.input_size, features=backbone.features
    )


def backbone_store(*, name: str, onnx: bytes, input_size: int, features: int) -> BackboneArtifact:
    """Keep a backbone under a name of its own, for all processes from now on."""
    made = BackboneArtifact(name, artifact_put(data=onnx, suffix=".onnx"), input_size, features)
    file_write(path=_pointer(name), data=canonical_json(asdict(made)), durable=True)
    return made


@contextmanager
def _alone_on_this_database(what: str) -> Iterator[None]:
    """Two workers that start together export once: PostgreSQL's advisory lock makes the second one wait."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [what])
        try:
            yield
        finally:
            cursor.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", [what])
