"""Errors that no view answers: programs get JSON, people a page."""

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.views import defaults

_SENTENCE = "Nothing lives at this address: the reference at /api/v1/docs has those that do."


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if request.path_info.startswith("/api/"):
        return JsonResponse({"detail": _SENTENCE}, status=404)
    if request.path_info.startswith("/v2/"):  # the Open Inference Protocol's word for it
        return JsonResponse({"error": _SENTENCE}, status=404)
    return defaults.page_not_found(request, exception)
