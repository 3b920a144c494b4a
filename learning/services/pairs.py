"""A network learned here beside the pretrained one: one backbone with the features of both."""

import hashlib

from learning.core.backbones.base import export
from learning.core.lazy import lazy
from learning.models import PretrainingRun
from learning.services.backbones import (
    BackboneArtifact,
    backbone_artifact,
    backbone_network,
    backbone_store,
)
from learning.services.features import remember

networks = lazy("learning.core.networks.pair", often=False)

PARTNER = "efficientnet-lite0"
PAIRED = "small-cnn"  # what grew from the partner has its features already


def backbone_paired(*, run: PretrainingRun, way: str, own: BackboneArtifact) -> BackboneArtifact | None:
    """The pair of what the run made by this way, or made before a worker died. None where it needs none."""
    if own.network != PAIRED:
        return None
    made: dict[str, str] = run.config.get("pairs", {})
    if way in made:
        return backbone_artifact(name=made[way])
    pair = networks.Pair(backbone_network(name=PARTNER), backbone_network(name=own.name))
    onnx = export(pair, pair.size)
    found = backbone_store(
        name=f"{PARTNER}+{way}-{hashlib.sha256(onnx).hexdigest()[:8]}",
        onnx=onnx,
        input_size=pair.size,
        features=pair.features,
        origin=own.origin,
        learns_by=own.name,
        card={**own.card, "beside": PARTNER},
    )
    remember(run, "pairs", way, found.name)
    return found
