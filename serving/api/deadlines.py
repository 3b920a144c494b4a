"""How long a client is willing to wait, and what it is told when that is too short, or when too many ask."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpRequest
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError

from serving.api.base import ComeBack
from serving.services.admission import LONGEST_SECONDS, Deadline, Overloaded, TooLate, admission

HEADER = "X-Request-Timeout"
_KEY = "HTTP_X_REQUEST_TIMEOUT"  # where WSGI has it; `headers` would read them all


class DeadlinePassed(APIException):
    status_code = status.HTTP_504_GATEWAY_TIMEOUT


class Busy(ComeBack):
    def __init__(self, wait: int) -> None:
        super().__init__(f"Too many predictions are asked for at the moment. Try again in {wait} s.")
        self.wait = wait


def deadline_of(request: HttpRequest, began: float) -> Deadline:
    """By the header, in seconds. `began`: of `time.monotonic`. Raises ParseError."""
    sent = request.META.get(_KEY)
    if sent is None:
        return Deadline(began)
    try:
        seconds = float(sent)
    except ValueError:
        seconds = math.nan
    return deadline_in(seconds, began, f"{HEADER} is '{sent[:40]}': it must be seconds, more than 0.")


def deadline_in(seconds: float, began: float, refusal: str) -> Deadline:
    """A client may shorten it. Raises ParseError, with the refusal, for what is no time."""
    if not (math.isfinite(seconds) and seconds > 0):
        raise ParseError(refusal)
    return Deadline(began, min(seconds, LONGEST_SECONDS), asked=seconds < LONGEST_SECONDS)


@contextmanager
def told(deadline: Deadline) -> Iterator[None]:
    """Turns refusals into answers."""
    try:
        yield
    except Overloaded as overloaded:
        raise Busy(overloaded.wait) from overloaded
    except TooLate as late:
        if not deadline.asked:
            raise Busy(1) from late
        raise DeadlinePassed(
            f"No answer within the {deadline.seconds:g} s that the request allows: nothing was predicted."
        ) from late


def check_room(deadline: Deadline) -> None:
    """Raises Busy, before the body is read."""
    with told(deadline):
        admission.check()
