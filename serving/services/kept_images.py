"""An image that a client sent and the audit drew becomes an item of the project, if the project says so."""

from dataclasses import dataclass

from labelling.core.images import inspect
from labelling.models import Project, Wanted
from labelling.services.blobs import blob_put
from labelling.services.items import NewItem, item_path, items_add
from labelling.services.wanted import items_want
from serving.services.audits import REASON


@dataclass(frozen=True)
class Kept:
    rollout_id: int
    project_id: int
    digest: str
    data: bytes
    unseen: int = 0

    def do(self) -> None:
        """It goes to the pool, never to the hold-out, which stays what it was drawn from."""
        project = Project.objects.get(pk=self.project_id)
        info = inspect(self.data)
        path = item_path(project=project, digest=self.digest, image_format=info.format)
        blob_put(path=path, data=self.data)
        name = f"sent by a client, {self.digest[:12]}"
        new = NewItem(self.digest, name, info, len(self.data), {"source": "live traffic"})
        items_add(project=project, new=[new], only_pool=True)
        items_want(project=project, digests=[self.digest], kind=Wanted.Kind.AUDIT, reason=REASON)
