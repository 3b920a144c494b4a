"""Requests by API key know no session, no form and no page: what those need is not done for them.

It saves about a third of what Django and REST framework cost a prediction.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.urls import Resolver404, ResolverMatch, resolve

# What `serving` answers by `ApiKeyAuthentication` alone; a test holds the two together.
PATHS = re.compile(r"/api/v1/projects/[^/]+/predict(ions/.*)?|/v2/models/.+", re.ASCII)

Answer = Callable[[HttpRequest], HttpResponseBase]


class KeyedRequests:
    """A middleware: after it come those of pages."""

    def __init__(self, get_response: Answer) -> None:
        self._pages = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not PATHS.fullmatch(request.path_info):
            return self._pages(request)
        try:
            match = request.resolver_match = _route(request.path_info)
        except Resolver404:
            return self._pages(request)
        response: HttpResponse = match.func(request, *match.args, **match.kwargs)
        if isinstance(response, SimpleTemplateResponse):
            response.render()
        response.headers.setdefault("Content-Length", str(len(response.content)))
        return response


@lru_cache(1024)
def _route(path: str) -> ResolverMatch:
    """Clients ask the same few paths. Raises Resolver404."""
    return resolve(path)
