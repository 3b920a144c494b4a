"""A request that is sent again with the same Idempotency-Key gets the first answer, and is done once."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from serving.models import ApiKey
from serving.services.redis_client import redis_client

KEPT_SECONDS = 24 * 60 * 60
# Should the process die meanwhile, so long nobody can try again with the key.
_IN_FLIGHT_SECONDS = 60


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

    Raises InFlight, OtherRequest, or redis.RedisError when Redis does not answer.
    """
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    fingerprint = hashlib.sha256(digests).hexdigest()
    name = f"idempotency:{key.pk}:{hashlib.sha256(idempotency_key.encode()).hexdigest()}"
    client = redis_client()
    begun = json.dumps({"of": fingerprint})
    if client.set(name, begun, nx=True, ex=_IN_FLIGHT_SECONDS):
        return Once(name, fingerprint)
    found = json.loads(client.get(name) or begun)
    if found["of"] != fingerprint:
        raise OtherRequest
    if "body" not in found:
        raise InFlight
    return str(found["body"]).encode()
