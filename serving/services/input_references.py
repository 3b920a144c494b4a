"""What a project's images look like to its champion's backbone: computed by workers, outside of requests.

It is an artifact by digest, as models are, named in a row of serving. It comes of the pool as it is now, so
it cannot stand in the card of a version, which never changes, and versions of one backbone share it. A web
process learns of it by the statement that tells which champion answers, and loads it with that.
"""

import logging
from dataclasses import dataclass

import numpy as np
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from numpy.typing import NDArray

from labelling.models import Project
from labelling.selectors import pool_sample
from learning.models import EmbeddingShard
from learning.services.artifacts import ArtifactDamaged
from learning.services.backbones import backbone_artifact
from learning.services.pool_embeddings import embeddings_open
from learning.services.snapshots import rows_of
from serving.core.statistics.input_drift import input_reference
from serving.models import Deployment, DriftReference
from serving.services.stored_references import reference_put

logger = logging.getLogger(__name__)

POOL_IMAGES = 5_000
GROWN = 1.1  # times the images: then it is made anew


@dataclass(frozen=True)
class Due:
    project: Project
    backbone: str  # by name, the float32 or the int8 one


def references_due() -> list[Due]:
    """Those of whose backbone embeddings have come that no reference was made of: the champion's, and the
    int8 one where that answers.
    """
    served = Deployment.objects.exclude(champion=None)
    return [
        *_due(served, "champion__backbone"),
        *_due(served.filter(champion__quantised__used=True), "champion__quantised__made__name"),
    ]


def _due(deployments: QuerySet[Deployment], backbone: str) -> list[Due]:
    mine = {"project": OuterRef("project"), "backbone": OuterRef(backbone)}
    embedded = EmbeddingShard.objects.filter(**mine).exclude(path="").order_by().values("backbone")
    known = DriftReference.objects.filter(**mine)
    found = (
        deployments.annotate(shards=Subquery(embedded.annotate(n=Count("pk")).values("n")))
        .annotate(seen=Subquery(known.values("shards")[:1]), backbone=F(backbone))
        .filter(Q(seen=None) | ~Q(seen=F("shards")), shards__gt=0)
        .select_related("project")
    )
    return [Due(one.project, one.backbone) for one in found]


def references_make() -> int:
    """Make those that are missing, or whose images have become a tenth more; return how many. Some seconds
    each.
    """
    return sum(_make(one.project, one.backbone) for one in references_due())


def _make(project: Project, backbone: str) -> bool:
    """Two workers that do it at once make the same."""
    embeddings = embeddings_open(project=project, backbone=backbone)
    seen = {"shards": len(embeddings.digests)}
    rows = DriftReference.objects.filter(project=project, backbone=backbone)
    known = rows.first()
    images = len(embeddings.ids)
    if known is not None and known.digest and known.images <= images < GROWN * known.images:
        rows.update(**seen)
        return False
    digest, error = known.digest if known else "", ""
    try:
        # One seed: of the same images comes the same reference, whoever makes it.
        rng = np.random.default_rng(0)
        made = input_reference(embeddings.take(_rows(project, embeddings.ids)), rng)
        digest = reference_put(made, backbone_artifact(name=backbone).digest)
    except (ValueError, KeyError, ArtifactDamaged, OSError) as failure:
        logger.info("Drift of what clients send to %s cannot be told yet: %s", project, failure)
        error = str(failure)[:300]
    found = {"digest": digest, "error": error, "images": images, **seen}
    DriftReference.objects.update_or_create(project=project, backbone=backbone, defaults=found)
    return not error


def _rows(project: Project, embedded: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of some of the pool. An int8 backbone has embedded the hold-out alone, which was drawn from the same
    images: then of that.
    """
    sample = np.array(sorted(pool_sample(project, POOL_IMAGES)), np.int64)
    at = rows_of(sample, embedded)
    at = at[at >= 0]
    return at if len(at) else np.arange(min(len(embedded), POOL_IMAGES))
