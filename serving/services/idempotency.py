"""A request that is sent again with the same Idempotency-Key gets the first answer, and is done once."""

import hashlib
import json
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import psutil

from serving.models import ApiKey
from serving.services.redis_client import redis_client

KEPT_SECONDS = 24 * 60 * 60
# Should the machine die meanwhile, so long nobody can try again with the key; a process that was killed is
# noticed by the others of its machine.
_IN_FLIGHT_SECONDS = 60
# A killed process needs some tenths of a second to give its memory back, and is there until then.
PATIENCE = 1.0
_LOOK_SECONDS = 0.02
# Of several that notice it at once, one takes over.
_TAKE_OVER = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
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

    def answered(self, body: bytes) -> None:
        kept = json.dumps({"of": self.fingerprint, "body": body.decode()})
        redis_client().set(self.name, kept, ex=KEPT_SECONDS)

    def given_up(self) -> None:
        redis_client().delete(self.name)


def request_once(*, key: ApiKey, idempotency_key: str, parts: Sequence[bytes]) -> Once | bytes:
    """The right to answer a request of these parts, or the answer that was given to it.

    A first request that is nearly through, or whose process is ending, is waited for a moment. Raises
    InFlight after that, OtherRequest, or redis.RedisError when Redis does not answer.
    """
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    fingerprint = hashlib.sha256(digests).hexdigest()
    name = f"idempotency:{key.pk}:{hashlib.sha256(idempotency_key.encode()).hexdigest()}"
    until = time.monotonic() + PATIENCE
    while (found := _right_or_answer(name, fingerprint)) is None:
        if time.monotonic() > until:
            raise InFlight
        time.sleep(_LOOK_SECONDS)
    return found


def _right_or_answer(name: str, fingerprint: str) -> Once | bytes | None:
    """None while the first request is being answered. Raises OtherRequest."""
    client = redis_client()
    begun = json.dumps({"of": fingerprint, "by": _this_process(os.getpid())})
    if client.set(name, begun, nx=True, ex=_IN_FLIGHT_SECONDS):
        return Once(name, fingerprint)
    standing = client.get(name)
    if standing is None:
        return None  # given up in this moment
    found = json.loads(standing)
    if found["of"] != fingerprint:
        raise OtherRequest
    if "body" in found:
        return str(found["body"]).encode()
    if _was_killed(found["by"]) and client.eval(_TAKE_OVER, 1, name, standing, begun, _IN_FLIGHT_SECONDS):
        return Once(name, fingerprint)
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
