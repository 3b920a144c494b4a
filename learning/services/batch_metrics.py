"""How calls of many threads become batches, for Prometheus."""

from functools import lru_cache

from prometheus_client import Gauge, Histogram

_IMAGES = Histogram(
    "quern_batch_images",
    "Images that a backbone saw at once.",
    ["process"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128),
)
_WAITING = Gauge(
    "quern_batch_waiting_images",
    "Images that waited behind the last batch when it began.",
    ["process"],
    multiprocess_mode="livesum",
)
# Labels, so that a process that never runs a batch writes no file; looked up once.
_images = lru_cache(_IMAGES.labels)
_waiting = lru_cache(_WAITING.labels)


def batch_seen(images: int, waiting: int) -> None:
    """A batch of so many begins, with so many behind it."""
    _images("web").observe(images)
    _waiting("web").set(waiting)
