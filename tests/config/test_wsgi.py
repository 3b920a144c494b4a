"""What granian makes of an answer."""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from granian.wsgi import _callback_wrapper

from config.wsgi import whole


def test_what_comes_after_an_answer_comes_after_it_was_sent() -> None:
    happened: list[object] = []

    class Answer(HttpResponse):
        def close(self) -> None:
            # Not Django's own, which would close the connections of other tests.
            happened.append("closed")

    class Protocol:
        def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            happened.append((status, body))

    def answers(environ: dict[str, Any], start_response: Callable[..., Any]) -> HttpResponse:
        start_response("200 OK", [])
        return Answer(b"seven")

    _callback_wrapper(whole(answers), {})(Protocol(), {"PATH_INFO": "/"})
    assert happened == [(200, b"seven"), "closed"]
