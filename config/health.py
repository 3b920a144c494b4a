"""For whoever watches the service: is this process alive, and do its parts answer?"""

import redis
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "alive"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    silent = _silent()
    if silent:
        return JsonResponse({"status": "not ready", "detail": silent}, status=503)
    return JsonResponse({"status": "ready"})


@never_cache
@require_safe
def v2_server(request: HttpRequest) -> JsonResponse:
    """This and the next two are the Open Inference Protocol's."""
    return JsonResponse({"name": "quern", "version": "0.1.0", "extensions": []})


@never_cache
@require_safe
def v2_live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"live": True})


@never_cache
@require_safe
def v2_ready(request: HttpRequest) -> JsonResponse:
    silent = _silent()
    if silent:
        return JsonResponse({"ready": False, "error": silent}, status=503)
    return JsonResponse({"ready": True})


def _silent() -> str:
    """Which parts do not answer, in one sentence. What exactly went wrong stands in the log, where strangers
    do not read.
    """
    silent = []
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except DatabaseError:
        silent.append("the database")
    try:
        cache.get("ready")
    except redis.RedisError:
        silent.append("Redis")
    return f"Not ready: {' and '.join(silent)} did not answer." if silent else ""
