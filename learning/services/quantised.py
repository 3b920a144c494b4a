"""The int8 versions of backbones: made once for a project, long after people have their model."""

from datetime import timedelta
from functools import partial

from django.db.models import Exists, OuterRef
from django.utils import timezone

from labelling.models import Item
from learning.core.lazy import lazy
from learning.core.precision import LEAST_LABELS, ms_an_image
from learning.models import Learner, ModelVersion, QuantisedBackbone, Work
from learning.services.artifacts import artifact_get
from learning.services.backbones import backbone_artifact, backbone_store
from learning.services.gently import gently
from learning.services.lessons import images_read
from learning.services.work import work_do, work_fail, work_owned

core = lazy("learning.core.quantised", often=False)

# What failed may work when the disk has room again, or the pool more pictures.
AGAIN = timedelta(hours=1)
FAILED = "The int8 export failed"


def quantised_plan() -> None:
    """Ask for the int8 version of each backbone once enough hold-out labels can judge it."""
    measured = ModelVersion.objects.filter(
        learner=OuterRef("pk"), backbone=OuterRef("backbone"), holdout_labels__gte=LEAST_LABELS
    )
    there = QuantisedBackbone.objects.filter(project=OuterRef("project"), backbone=OuterRef("backbone"))
    wanting = Learner.objects.filter(Exists(measured), ~Exists(there), enabled=True)
    for project_id, backbone in wanting.values_list("project_id", "backbone").distinct():
        # Several ticks may see it: the unique constraint keeps one row.
        QuantisedBackbone.objects.bulk_create(
            [QuantisedBackbone(project_id=project_id, backbone=backbone)], ignore_conflicts=True
        )
    failed = QuantisedBackbone.objects.filter(state=Work.State.FAILED)
    failed.filter(finished_at__lte=timezone.now() - AGAIN).update(
        state=Work.State.QUEUED, attempt=0, enqueued_at=None
    )


def quantised_do(*, quantised_id: int) -> bool:
    """Make it, or say why there can be none. True when this call ended it."""
    stage = "reading pictures of the pool"
    return work_do(QuantisedBackbone, pk=quantised_id, stage=stage, do=_make, words=FAILED)


def _make(work: QuantisedBackbone) -> None:
    backbone = backbone_artifact(name=work.backbone)
    exact = artifact_get(digest=backbone.digest, suffix=".onnx")
    # Never the hold-out: it is to judge what comes out.
    pool = Item.objects.filter(project=work.project_id, split=Item.Split.POOL).order_by("random_rank", "id")
    images, _ = images_read(items=list(pool[: core.CALIBRATION]), size=backbone.input_size)
    work_owned(work, stage=f"calibrating on {len(images)} pictures")
    try:
        made = gently(partial(core.quantised, exact, images))
    except core.NotQuantisable as why:
        work_fail(work, error=f"{FAILED}: {why}")
        return
    work_owned(work, stage="measuring how fast it is here")
    speeds = gently(partial(ms_an_image, exact, made))
    card: dict[str, object] = {"int8_of": backbone.digest, "calibrated_on": len(images)}
    stored = backbone_store(
        name=f"{work.backbone[:40]}-int8-{work.pk}",
        onnx=made,
        input_size=backbone.input_size,
        features=backbone.features,
        card=card,
    )
    work_owned(
        work,
        state=Work.State.DONE,
        stage="",
        error="",
        finished_at=timezone.now(),
        exact=backbone.digest,
        name=stored.name,
        digest=stored.digest,
        images=len(images),
        speeds=speeds,
        size=len(exact),
        size_int8=len(made),
    )
