"""API keys: `qk_<prefix>_<secret>`. The prefix finds the row; only the SHA-512 of the secret is stored.

The secret is 256 random bits, so a fast hash is as good as a slow one, which would cost a request 0.4 s.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Sequence

from django.db import OperationalError
from django.utils import timezone

from labelling.models import Project, User
from serving.models import ApiKey, Scope
from serving.services.champions import SILENT_SECONDS_REQUESTS, champions

_SHAPE = re.compile(r"qk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
# How long a verified key is believed without asking the database again: a revocation takes effect within 1 s.
BELIEVED_SECONDS = 0.75
_BELIEVED_KEYS = 1024
# SHA-512 of the whole key -> (the row, believed until). Replacing an entry is harmless: no lock is needed.
_believed: dict[bytes, tuple[ApiKey, float]] = {}


class KeyRefused(ValueError):
    """The sentence to answer with."""


def key_create(
    *,
    project: Project,
    name: str,
    user: User | None,
    scopes: Sequence[str] = tuple(Scope),
    requests_per_second: float | None = None,
) -> tuple[ApiKey, str]:
    """A new key, and its plain text, which nobody can read again."""
    secret = secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        project=project,
        name=name,
        prefix=secrets.token_hex(6),
        secret_hash=_hash(secret),
        scopes=list(scopes),
        created_by=user,
        requests_per_second=requests_per_second,
    )
    return key, f"qk_{key.prefix}_{secret}"


def key_revoke(*, key: ApiKey) -> ApiKey:
    """Close the key for good; closing it again keeps the first moment."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now())
    key.refresh_from_db(fields=["revoked_at"])
    return key


def key_find(*, plain: str) -> ApiKey:
    """The standing key of this text, with its project. Raises KeyRefused, or OperationalError at once where
    the database is known to be silent.
    """
    ticket = hashlib.sha512(plain.encode()).digest()
    believed = _believed.get(ticket)
    if believed is not None and time.monotonic() < believed[1]:
        return believed[0]
    shape = _SHAPE.fullmatch(plain)
    if shape is None:
        raise KeyRefused("This is not an API key: one looks like qk_<12 hex digits>_<43 characters>.")
    if champions.database_is_silent(SILENT_SECONDS_REQUESTS):
        raise OperationalError("The database has not answered for a second: nobody else waits for it.")
    prefix, secret = shape.groups()
    asked = time.monotonic()
    key = ApiKey.objects.select_related("project").filter(prefix=prefix).first()
    if key is None or not hmac.compare_digest(key.secret_hash, _hash(secret)):
        raise KeyRefused("This API key is not known. Ask a manager of the project for one.")
    if key.revoked_at is not None:
        _believed.pop(ticket, None)
        raise KeyRefused(f"The API key {key.prefix} was revoked. Ask a manager of the project for another.")
    if len(_believed) >= _BELIEVED_KEYS:
        _believed.clear()
    _believed[ticket] = (key, asked + BELIEVED_SECONDS)
    return key


def _hash(secret: str) -> str:
    return hashlib.sha512(secret.encode()).hexdigest()
