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
    if silent:
        # What exactly went wrong stands in the log, where strangers do not read.
        sentence = f"Not ready: {' and '.join(silent)} did not answer."
        return JsonResponse({"status": "not ready", "detail": sentence}, status=503)
    return JsonResponse({"status": "ready"})
