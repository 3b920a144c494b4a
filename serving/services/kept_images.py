"""An image that a client sent becomes an item, if it is worth asking about and the project says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labelling.core.images import inspect
from labelling.models import Project, Wanted
from labelling.services.blobs import blob_put
from labelling.services.items import NewItem, item_path, items_add
from labelling.services.wanted import items_want
from serving.core.assignment import bucket
from serving.core.inclusion import unsure_below
from serving.models import Prediction
from serving.services.drift import REASON as DRIFTED
from serving.services.loaded import Champion
from serving.services.packing import packed
from serving.services.production import AUDITED, AUDITED_ALONE, UNSURE_OF, places_left

DRIFTED_SHARE = 0.05  # of images sent while a notice of drift stands


@dataclass(frozen=True)
class Kept:
    """As it is handed over."""

    rollout_id: int
    project_id: int
    digest: str
    data: bytes
    kind: str
    reason: str
    unseen: int = 0
    inclusion: float | None = None

    def packed(self) -> bytes:
        header = {name: value for name, value in vars(self).items() if name != "data"}
        return packed("kept", header, [self.data])

    @classmethod
    def unpacked(cls, header: dict[str, Any], parts: Sequence[bytes]) -> "Kept":
        return cls(**header, data=parts[0])

    def do(self) -> None:
        """It goes to the pool, never to the hold-out, which stays what it was drawn from."""
        project = Project.objects.get(pk=self.project_id)
        picked = self.kind == Wanted.Kind.TRAFFIC and self.inclusion is None
        if picked and not places_left(project):
            return
        info = inspect(self.data)
        path = item_path(project=project, digest=self.digest, image_format=info.format)
        blob_put(path=path, data=self.data)
        name = f"sent by a client, {self.digest[:12]}"
        new = NewItem(self.digest, name, info, len(self.data), {"source": "live traffic"})
        items_add(project=project, new=[new], only_pool=True)
        chances = {} if self.inclusion is None else {self.digest: self.inclusion}
        items_want(
            project=project, digests=[self.digest], kind=self.kind, reason=self.reason, inclusion=chances
        )


def worth_keeping(prediction: Prediction, data: bytes, champion: Champion) -> Kept | None:
    """The image, if it was drawn for the audit, a rollout's or the project's own, or if the model was unsure
    of it; and some of all as long as what is sent has drifted, for then a model may be sure and wrong.
    """
    what = (prediction.rollout_id or 0, prediction.project_id, prediction.digest, data)
    if prediction.audited:
        return Kept(*what, Wanted.Kind.AUDIT, AUDITED, inclusion=prediction.inclusion)
    if prediction.inclusion is not None:
        return Kept(*what, Wanted.Kind.TRAFFIC, UNSURE_OF, inclusion=prediction.inclusion)
    share = champion.audit_share if prediction.rollout_id is None else 0.0
    # The same draw for all questions of a project, and whoever sends the image.
    if bucket(f"audited of {prediction.project_id}", prediction.digest) < share:
        return Kept(*what, Wanted.Kind.AUDIT, AUDITED_ALONE, inclusion=share)
    unsure = unsure_below(len(champion.classes))
    if prediction.rollout_id is None and prediction.top[0]["probability"] < unsure:
        return Kept(*what, Wanted.Kind.TRAFFIC, UNSURE_OF)
    if champion.drifted and bucket("drifted", prediction.digest) < DRIFTED_SHARE:
        return Kept(*what, Wanted.Kind.TRAFFIC, DRIFTED)
    return None
