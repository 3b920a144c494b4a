"""What a web process counts for Prometheus as it answers: some microseconds a request.

Under `config.web` the numbers lie in files that all its processes share and that outlive a killed one.
"""

from collections.abc import Sequence
from functools import lru_cache

from prometheus_client import Counter, Gauge, Histogram

from serving.models import Prediction

_SECONDS = Histogram(
    "quern_request_seconds",
    "From a request by API key to its answer, within the web process.",
    ["api"],
    buckets=(0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
_ANSWERS = Counter("quern_requests", "Requests by API key, by the status of their answer.", ["api", "status"])
_IN_FLIGHT = Gauge(
    "quern_requests_in_flight", "Requests by API key being answered.", ["api"], multiprocess_mode="livesum"
)
_PREDICTIONS = Counter(
    "quern_predictions",
    "Images that models were asked about, by project, arm, mode of the rollout (none without one) and "
    "status ('unanswered': the champion failed).",
    ["project", "arm", "mode", "status"],
)
_DROPPED = Counter(
    "quern_afterwards_dropped_images", "Images that a full queue of those dropped.", ["process"]
)
_REFUSED = Counter(
    "quern_predictions_refused",
    "Turned away by overload: 'full', as many wait as may, or 'late', the deadline came first.",
    ["reason"],
)

# A metric checks and joins its labels anew at every call, which takes longer than to count.
_in_flight = lru_cache(_IN_FLIGHT.labels)
_answers = lru_cache(_ANSWERS.labels)
_seconds = lru_cache(_SECONDS.labels)
_predictions = lru_cache(maxsize=4096)(_PREDICTIONS.labels)


def request_began(api: str) -> None:
    _in_flight(api).inc()


def request_ended(api: str, status: int, seconds: float) -> None:
    _in_flight(api).dec()
    _answers(api, status).inc()
    _seconds(api).observe(seconds)


def request_refused(reason: str) -> None:
    _REFUSED.labels(reason).inc()


def predictions_count(project: str, mode: str, predictions: Sequence[Prediction]) -> None:
    """Of one question; those outside its rollout have no mode."""
    for one in predictions:
        of = mode if one.rollout_id is not None else "none"
        status = one.status if one.answered or one.status != Prediction.Status.FAILED else "unanswered"
        _predictions(project, one.arm, of, status).inc()


def afterwards_dropped(images: int) -> None:
    _DROPPED.labels("web").inc(images)
