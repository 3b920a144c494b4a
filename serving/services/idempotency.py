"""A request that is sent again with the same Idempotency-Key gets the first answer, and is done once."""

import hashlib
import json
import os
import socket
import threading
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import psutil

from serving.models import ApiKey
from serving.services.redis_client import redis_client

KEPT_SECONDS = 24 * 60 * 60
# Redis keeps them in memory, as it does what Celery sends, of which nothing may be pushed out. So answers are
# small, and where those of one API key would be more than this at a time, each is kept for less long.
MOST_LABELS = 2_000  # in an answer: some 64 kB, packed
KEPT_BYTES = 16 * 1024**2
SHORTEST_SECONDS = 60
_COUNTED_SECONDS = 60 * 60
# Should the machine die meanwhile, so long nobody can try again with the key; a process that was killed is
# noticed by the others of its machine.
_IN_FLIGHT_SECONDS = 60
# A killed process needs some tenths of a second to give its memory back, and is there until then.
PATIENCE = 1.0
_LOOK_SECONDS = 0.02
# So many of a process may wait at once: its other threads are for the rest.
_patience = threading.BoundedSemaphore(2)
# Of several that notice it at once, one takes over.
_TAKE_OVER = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


# What is kept in an hour, and how long, so that at this rate it is as many bytes as may be.
_KEEP = """
local size = #ARGV[1]
local kept = redis.call('INCRBY', KEYS[2], size)
if kept == size then redis.call('EXPIRE', KEYS[2], ARGV[3]) end
local life = math.floor(ARGV[2] * ARGV[3] / kept)
life = math.max(tonumber(ARGV[4]), math.min(tonumber(ARGV[5]), life))
redis.call('SET', KEYS[1], ARGV[1], 'EX', life)
"""


class InFlight(Exception):
    """The first request is not answered yet."""


class OtherRequest(Exception):
    """The key was used for something else."""


@dataclass(frozen=True)
class Once:
    """The right to answer, until `answered` or `given_up` is told."""

    name: str
    fingerprint: str
    kept_by: str  # what the answers of this API key are counted under

    def answered(self, body: bytes) -> None:
        kept = json.dumps({"of": self.fingerprint}).encode() + b"\n" + zlib.compress(body)
        limits = (KEPT_BYTES, _COUNTED_SECONDS, SHORTEST_SECONDS, KEPT_SECONDS)
        redis_client().eval(_KEEP, 2, self.name, self.kept_by, kept, *limits)

    def given_up(self) -> None:
        redis_client().delete(self.name)


def request_once(*, key: ApiKey, idempotency_key: str, parts: Sequence[bytes]) -> Once | bytes:
    """The right to answer a request of these parts, or the answer that was given to it.

    A first request that is nearly through, or whose process is ending, is waited for a moment. Raises
    InFlight after that, or at once when as many wait as may, OtherRequest, or redis.RedisError when Redis
    does not answer.
    """
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    fingerprint = hashlib.sha256(digests).hexdigest()
    name = f"answer:{key.pk}:{hashlib.sha256(idempotency_key.encode()).hexdigest()}"
    right = Once(name, fingerprint, f"answers:{key.pk}")
    found = _right_or_answer(right)
    if found is not None:
        return found
    if not _patience.acquire(blocking=False):
        raise InFlight
    try:
        return _waited_for(right)
    finally:
        _patience.release()


def _waited_for(right: Once) -> Once | bytes:
    until = time.monotonic() + PATIENCE
    while (found := _right_or_answer(right)) is None:
        if time.monotonic() > until:
            raise InFlight
        time.sleep(_LOOK_SECONDS)
    return found


def _right_or_answer(right: Once) -> Once | bytes | None:
    """None while the first request is being answered. Raises OtherRequest."""
    client = redis_client()
    begun = json.dumps({"of": right.fingerprint, "by": _this_process(os.getpid())})
    if client.set(right.name, begun, nx=True, ex=_IN_FLIGHT_SECONDS):
        return right
    standing = cast(bytes | None, client.get(right.name))
    if standing is None:
        return None  # given up in this moment
    told, _, packed = standing.partition(b"\n")
    found = json.loads(told)
    if found["of"] != right.fingerprint:
        raise OtherRequest
    if packed:
        return zlib.decompress(packed)
    if _was_killed(found["by"]) and client.eval(
        _TAKE_OVER, 1, right.name, standing, begun, _IN_FLIGHT_SECONDS
    ):
        return right
    return None


@lru_cache(maxsize=1)
def _this_process(pid: int) -> list[str | float]:
    """Its machine, its number, and when it began: numbers are used again. A forked child has its own."""
    return [socket.gethostname(), pid, psutil.Process(pid).create_time()]


def _was_killed(process: list[str | float]) -> bool:
    """Of another machine's nobody knows here."""
    machine, pid, began = process
    if machine != socket.gethostname():
        return False
    try:
        there = psutil.Process(int(pid))
        return there.create_time() != began or there.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
