"""Backbones as artifacts: exported once, then the same bytes everywhere and always."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, cast

from django.core.files.storage import default_storage
from django.db import connection

from labelling.services.blobs import file_write
from learning.core.backbones import BACKBONES
from learning.core.lazy import lazy
from learning.services.artifacts import artifact_get, artifact_put, canonical_json

if TYPE_CHECKING:
    from learning.core.networks.network import Network

stored = lazy("learning.core.networks.stored", often=False)

_known: dict[tuple[str, str], "BackboneArtifact"] = {}
_exporting = threading.Lock()


@dataclass(frozen=True)
class BackboneArtifact:
    """A backbone's ONNX in storage, and the shapes it works with."""

    name: str
    digest: str
    input_size: int
    features: int
    # Of one learned here: what kind of network it is, its weights, and what it grew from, if from a backbone.
    network: str = ""
    weights: str = ""
    origin: str = ""
    # Of a pair, the part that was learned here: whatever goes on from the pair, goes on from it.
    learns_by: str = ""
    # How it was learned: the way, its settings, the seed, what it looked at.
    card: dict[str, object] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[int, ...]:
        """Of a pair, how many of its features each network makes; () of one network."""
        if "beside" not in self.card:
            return ()
        larger = BACKBONES[str(self.card["beside"])].features
        return larger, self.features - larger

    @property
    def saw_labels(self) -> bool:
        """Whether labels took part in its training: all that learns from them goes on from a backbone."""
        return bool(self.origin)


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


def backbone_store(
    *,
    name: str,
    onnx: bytes,
    input_size: int,
    features: int,
    network: str = "",
    weights: bytes = b"",
    origin: str = "",
    learns_by: str = "",
    card: dict[str, object] | None = None,
) -> BackboneArtifact:
    """Keep a backbone under a name of its own, for all processes from now on."""
    made = BackboneArtifact(
        name,
        artifact_put(data=onnx, suffix=".onnx"),
        input_size,
        features,
        network,
        artifact_put(data=weights, suffix=".safetensors") if weights else "",
        origin,
        learns_by,
        card or {},
    )
    file_write(path=_pointer(name), data=canonical_json(asdict(made)), durable=True)
    return made


def backbone_network(*, name: str) -> "Network":
    """The backbone as a network that can be trained further.

    Raises ValueError, with a sentence, for one that was stored without its weights.
    """
    found = backbone_artifact(name=name)
    if found.weights:
        weights = artifact_get(digest=found.weights, suffix=".safetensors")
        kept: Network = stored.network_from(found.network, found.input_size, weights)
        return kept
    if name not in BACKBONES:
        raise ValueError(
            f"The backbone '{name}' was stored without its weights: learn it anew, or use another."
        )
    return cast("Network", BACKBONES[name].build())


@contextmanager
def _alone_on_this_database(what: str) -> Iterator[None]:
    """Two workers that start together export once: PostgreSQL's advisory lock makes the second one wait."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [what])
        try:
            yield
        finally:
            cursor.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", [what])
