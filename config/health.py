"""For whoever watches the service: is this process alive, and do its parts answer?"""

import redis
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from serving.services.champions import champions


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "alive"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    status, why = _state()
    return JsonResponse(
        {"status": status, "detail": why} if why else {"status": status}, status=503 if why else 200
    )


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
    _, why = _state()
    if why:
        return JsonResponse({"ready": False, "error": why}, status=503)
    return JsonResponse({"ready": True})


def _state() -> tuple[str, str]:
    """A word, and why this process cannot answer. In one without the models' thread, nobody asks."""
    silent = _silent()
    if silent:
        return "not ready", silent
    if champions.started and not champions.tried():
        return "loading", "Not ready: the models are being loaded."
    if champions.none_works():
        return "pages only", "Not ready: no model that should answer passed its trial; the log says why."
    if not champions.answers_now():
        return "not ready", "Not ready: no model answers a sample any more; the log says why."
    return "ready", ""


def _silent() -> str:
    """Which parts do not answer, in one sentence. What exactly went wrong stands in the log, where strangers
    do not read.
    """
    silent = []
    if not _database_answers():
        silent.append("the database")
    try:
        cache.get("ready")
    except redis.RedisError:
        silent.append("Redis")
    return f"Not ready: {' and '.join(silent)} did not answer." if silent else ""


def _database_answers() -> bool:
    """The thread that looks for champions asks it all the time: to ask again could only take longer."""
    if champions.started and champions.tried():
        return not champions.database_is_silent()
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except DatabaseError:
        return False
    return True
