"""Which background processes have lately been heard of. Kept in Redis alone: worth nothing a minute later."""

import time

import redis
from django.core.cache import cache

NAMES = ("default", "embedding", "learning", "beat")
_DAY = 24 * 60 * 60


def worker_beat(*, name: str) -> None:
    """Say that the process of this name lives. Raises redis.RedisError when Redis does not answer."""
    cache.set(_key(name), time.time(), timeout=_DAY)


def workers_seen() -> dict[str, float]:
    """Seconds since each process was heard of; one that never was, or not within a day, is missing.

    Without Redis nobody can be heard, and the answer is empty.
    """
    try:
        found = cache.get_many([_key(name) for name in NAMES])
    except redis.RedisError:
        return {}
    now = time.time()
    # Another machine's clock may be a little ahead of this one's.
    return {name: max(0.0, now - found[_key(name)]) for name in NAMES if _key(name) in found}


def _key(name: str) -> str:
    return f"worker-seen:{name}"
