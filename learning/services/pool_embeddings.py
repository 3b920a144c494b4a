"""Reading a project's embeddings: only the rows asked for are read, from memory-mapped shards."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelling.models import Project
from learning.core.half import widened
from learning.models import EmbeddingShard
from learning.services.cache import Cache
from learning.services.local_files import artifact_file

Ids = NDArray[np.int64]
Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class PoolEmbeddings:
    """All items of a project that are embedded by one backbone, as rows; what is held is 8 bytes an item."""

    ids: Ids  # (N,), ascending
    starts: NDArray[np.int64]  # (S + 1,): shard s has the rows starts[s] up to starts[s + 1]
    digests: list[str]  # S, of the shards

    def take(self, rows: NDArray[np.int64]) -> Matrix:
        """The embeddings (n, D) of rows (n,), in their order. Without shards D is 0.

        Raises FileNotFoundError for a shard that the storage lost, ArtifactDamaged for one that it changed.
        """
        if not self.digests:
            return np.empty((0, 0), np.float32)
        shards = np.searchsorted(self.starts, rows, side="right") - 1  # (n,)
        found = np.empty((len(rows), _open(self.digests[0]).shape[1]), np.float32)
        for shard in np.unique(shards).tolist():
            inside = np.flatnonzero(shards == shard)
            found[inside] = widened(_open(self.digests[shard])[rows[inside] - self.starts[shard]])
        return found


# Of the order of 10 MB each, for a million items.
_pools: Cache[PoolEmbeddings] = Cache(size=8)


def embeddings_open(*, project: Project, backbone: str) -> PoolEmbeddings:
    """All that is embedded so far. What does not change while no shard is added stays in the process."""
    shards = list(
        EmbeddingShard.objects.filter(project=project, backbone=backbone)
        .exclude(path="")
        .order_by("first_item")
        .values_list("pk", "digest")
    )
    return _pools.get(tuple(shards), lambda: _listed(shards))


def _listed(shards: list[tuple[int, str]]) -> PoolEmbeddings:
    # A shard never changes once it is embedded, so these are the rows that belong to the digests. They cover
    # the project's items one range after the other: in their order, the ids ascend.
    item_ids = dict(
        EmbeddingShard.objects.filter(pk__in=[pk for pk, _ in shards]).values_list("pk", "item_ids")
    )
    parts = [np.array(item_ids[pk], np.int64) for pk, _ in shards]
    ids = np.concatenate([np.empty(0, np.int64), *parts])
    ids.setflags(write=False)
    return PoolEmbeddings(ids, np.cumsum([0, *map(len, parts)]), [digest for _, digest in shards])


def _open(digest: str) -> NDArray[np.float16]:
    """Mapped anew each time, which takes 0.1 ms: maps that stay open use up the files a process may have."""
    matrix: NDArray[np.float16] = np.load(
        artifact_file(digest=digest, suffix=".npy"), mmap_mode="r", allow_pickle=False
    )
    return matrix
