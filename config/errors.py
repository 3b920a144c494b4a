"""Errors that no view answers: programs get JSON, people a page."""

import re
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.views import defaults
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.response import Response
from rest_framework.views import exception_handler

from learning.core.shown import shown

_SENTENCE = "Nothing lives at this address: the reference at /api/v1/docs has those that do."
_NONE_MATCHES = re.compile(r"No (\w+) matches the given query\.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if request.path_info.startswith("/api/"):
        return JsonResponse({"detail": _SENTENCE}, status=404)
    if request.path_info.startswith("/v2/"):  # the Open Inference Protocol's word for it
        return JsonResponse({"error": _SENTENCE}, status=404)
    return defaults.page_not_found(request, _in_words(exception))


def _in_words(error: Exception) -> Exception:
    """What Django says of a row that is not there, it says of its classes."""
    if isinstance(error, Http404) and (found := _NONE_MATCHES.fullmatch(str(error))):
        thing = re.sub(r"(?<!^)(?=[A-Z])", " ", found[1]).lower()
        return Http404(f"There is no such {thing}: it may have been deleted meanwhile.")
    return error


def api_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """What Django refuses while it reads a body comes back from REST views as all else that they refuse."""
    if isinstance(error, RequestDataTooBig):
        return Response({"detail": "The body is larger than what is read here."}, status=413)
    if isinstance(error, SuspiciousOperation):  # too many fields or files, mostly
        return Response({"detail": f"The request cannot be read: {error}"}, status=400)
    if isinstance(error, UnsupportedMediaType):
        read = ", ".join(one.media_type for one in context["view"].get_parsers())
        sent = shown(context["request"].content_type)
        return Response({"detail": f"A body of type {sent} is not read here: send {read}."}, status=415)
    return exception_handler(_in_words(error), context)
