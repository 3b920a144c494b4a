import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import get_resolver

from config.bodies import bounded
from config.proxy import Application, fronted

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def whole(django: Application) -> Application:
    """What is no stream, as a list: granian sends that at once with its head. Else a process can be killed
    between the two, and a client that has the head cannot be given another answer.
    """

    def answered(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        response = django(environ, start_response)
        if not isinstance(response, HttpResponse):
            return response
        response.close()
        return [response.content]

    return answered


application = bounded(whole(get_wsgi_application()))
behind_front = fronted(application)
# Django would load the pages, and what they stand on, in the first request, which would wait for it.
LOADED = len(get_resolver().url_patterns)
