"""Quern's figures for Prometheus: what the web processes of this machine count, and what holds for all."""

import hmac
import ipaddress
from collections.abc import Iterable
from pathlib import Path

import psutil
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu import Connection
from kombu.exceptions import ChannelError, OperationalError
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from config.processes import QUEUES
from config.proxy import client_address
from serving.selectors import champions_answering
from serving.services.afterwards import afterwards
from serving.services.prediction_log import spool

_CLOSED = (
    "The figures are for a scraper with QUERN_METRICS_TOKEN ('Authorization: Bearer ...') or for signed-in "
    "staff; without such a token, and embedded, for this machine itself."
)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    if not _may_read(request):
        return HttpResponseForbidden(_CLOSED, content_type="text/plain")
    return HttpResponse(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    token = settings.METRICS_TOKEN
    if token:
        sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if hmac.compare_digest(sent.encode(), token.encode()):
            return True
    elif settings.EMBEDDED and _from_here(request):
        return True
    return bool(request.user.is_authenticated and request.user.is_staff)


def _from_here(request: HttpRequest) -> bool:
    """From this machine itself, and not through a proxy on it."""
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        return ipaddress.ip_address(client_address(request)).is_loopback
    except ValueError:
        return False


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Counted())
    registry.register(_Now())
    return registry


class _Counted(Collector):
    """By all web processes; by a single one, as in tests, in its memory."""

    def collect(self) -> Iterable[Metric]:
        if not settings.METRICS_DIR:
            return REGISTRY.collect()
        # What a killed process had in hand is in nobody's hand; what it had counted stays counted.
        for path in Path(settings.METRICS_DIR).glob("gauge_live*.db"):
            if not psutil.pid_exists(int(path.stem.rpartition("_")[2])):
                path.unlink(missing_ok=True)
        files = [str(path) for path in Path(settings.METRICS_DIR).glob("*.db")]
        return MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call,no-any-return]  # it has no types


class _Now(Collector):
    """What is asked at the moment of the scrape, once, whichever process answers it."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        found, champions = _champions()
        yield champions
        yield GaugeMetricFamily("quern_database_up", "Whether the database answered the scrape.", found)
        waits, size = spool.waiting()
        yield GaugeMetricFamily(
            "quern_spool_lag_seconds", "For how long the oldest prediction waits for the database.", waits
        )
        yield GaugeMetricFamily("quern_spool_bytes", "Of predictions that wait for the database.", size)
        yield GaugeMetricFamily(
            "quern_afterwards_waiting",
            "Jobs that wait to be done after their answer has gone out.",
            afterwards.waiting(),
        )
        yield _queues()


def _champions() -> tuple[int, GaugeMetricFamily]:
    champions = GaugeMetricFamily(
        "quern_champion_version", "The version that answers.", labels=["project", "question"]
    )
    try:
        for project, question, number in champions_answering():
            champions.add_metric([project, question], number)
    except DatabaseError:
        return 0, champions
    return 1, champions


def _queues() -> GaugeMetricFamily:
    """Nothing of a broker that does not answer."""
    waiting = GaugeMetricFamily(
        "quern_queue_messages", "Messages that wait for a background worker.", labels=["queue"]
    )
    try:
        with Connection(settings.CELERY_BROKER_URL, connect_timeout=1) as broker:
            for queue in (*QUEUES, "search"):
                waiting.add_metric([queue], _messages(broker, queue))
    except (OperationalError, OSError):
        waiting.samples.clear()
    return waiting


def _messages(broker: Connection, queue: str) -> int:
    try:
        channel = broker.default_channel
        return int(channel.queue_declare(queue, passive=True).message_count)  # type: ignore[attr-defined]  # every transport's has it
    except ChannelError:
        return 0  # nobody has sent one yet
