import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import get_resolver

from config.bodies import bounded
from config.proxy import Application, fronted

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


class Sent(list[bytes]):
    """An answer that is closed when the server lets go of it. granian closes no list: what a response does
    when it is closed would come before the client has the answer, and the client would wait for it.
    """

    def __init__(self, response: HttpResponse) -> None:
        self._response = response  # first: it is closed whatever becomes of the answer
        super().__init__([response.content])

    def __del__(self) -> None:
        self._response.close()


def whole(django: Application) -> Application:
    """What is no stream, as a list: granian sends that at once with its head. Else a process can be killed
    between the two, and a client that has the head cannot be given another answer.
    """

    def answered(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        response = django(environ, start_response)
        return Sent(response) if isinstance(response, HttpResponse) else response

    return answered


application = bounded(whole(get_wsgi_application()))
behind_front = fronted(application)
# Django would load the pages, and what they stand on, in the first request, which would wait for it.
LOADED = len(get_resolver().url_patterns)
