"""The header Idempotency-Key: what is sent again gets the first answer."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import redis
from django.http import HttpRequest, HttpResponse
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError

from serving.api.base import ComeBack, Conflict
from serving.models import ApiKey
from serving.services.idempotency import MOST_LABELS, InFlight, Once, OtherRequest, request_once

logger = logging.getLogger(__name__)

LONGEST = 200


class Unprocessable(APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY


@dataclass
class Answering:
    """`answer` is the first one, if there was one; else the one to `keep` is."""

    answer: HttpResponse | None = None
    once: Once | None = None
    kept: bool = False

    def keep(self, response: HttpResponse) -> HttpResponse:
        """Only what went well: a failure may be tried again. Without Redis nothing is kept, and the answer,
        which is there, goes out.
        """
        if self.once is not None and response.status_code == status.HTTP_200_OK:
            self.kept = True
            with _redis_may_fail():
                self.once.answered(response.content)
        return response


def check_keepable(labels: int) -> None:
    """Before anything is predicted: what could not be kept would be made twice. Raises ParseError."""
    if labels > MOST_LABELS:
        raise ParseError(
            f"With an Idempotency-Key, an answer has at most {MOST_LABELS:,} labels, and this one would have "
            f"{labels:,}: send fewer images, or a smaller 'top'."
        )


@contextmanager
def answered_once(request: HttpRequest, key: ApiKey, parts: Sequence[bytes]) -> Iterator[Answering]:
    """Raises an APIException: 409 while the first request is being answered, 422 for another request."""
    sent = request.META.get("HTTP_IDEMPOTENCY_KEY", "").strip()
    if len(sent) > LONGEST:
        raise ParseError(f"The Idempotency-Key has {len(sent)} characters: at most {LONGEST} are read.")
    answering = _answering(sent, key, parts) if sent else Answering()
    try:
        yield answering
    finally:
        if answering.once is not None and not answering.kept:
            with _redis_may_fail():
                answering.once.given_up()


@contextmanager
def _redis_may_fail() -> Iterator[None]:
    """What it does not learn, it forgets by itself after a minute."""
    try:
        yield
    except redis.RedisError as error:
        logger.warning("What became of an Idempotency-Key cannot be kept: %s", error)


def _answering(sent: str, key: ApiKey, parts: Sequence[bytes]) -> Answering:
    try:
        found = request_once(key=key, idempotency_key=sent, parts=parts)
    except InFlight as in_flight:
        raise Conflict("A request with this Idempotency-Key is being answered: wait for it.") from in_flight
    except OtherRequest as other:
        raise Unprocessable("This Idempotency-Key was used for another request: make a new one.") from other
    except redis.RedisError as error:
        logger.exception("Idempotency-Keys cannot be kept.")
        raise ComeBack("Idempotency-Keys cannot be kept at the moment. Try again in a second.") from error
    if isinstance(found, Once):
        return Answering(once=found)
    replayed = HttpResponse(found, content_type="application/json", headers={"Idempotent-Replayed": "true"})
    return Answering(answer=replayed)
