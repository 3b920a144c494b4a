"""Limits, keys that make a retry harmless, and forgetting."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Timer

import numpy as np
import pytest
import redis
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from labelling.models import Membership
from serving.models import Feedback, Prediction, TrafficPolicy
from serving.services import idempotency
from serving.services.idempotency import InFlight, Once, request_once
from serving.services.keys import key_create
from serving.services.redis_client import redis_client
from serving.services.retention import predictions_forget
from serving.services.throttle import TooManyRequests, request_admit
from tests import factories
from tests.serving import trained
from tests.serving.conftest import Service
from tests.serving.rolled import images, rollout
from tests.serving.trained import DARK, LIGHT, picture

ROOT = Path(__file__).resolve().parents[2]


def test_a_key_with_a_limit_is_told_to_wait(service: Service) -> None:
    _, plain = key_create(project=service.project, name="slow", user=None, requests_per_second=0.5)
    client = Client(headers={"Authorization": f"Bearer {plain}"})
    assert client.post(service.predict_path, picture(DARK), content_type="image/png").status_code == 200
    refused = client.post(service.predict_path, picture(DARK), content_type="image/png")
    assert (refused.status_code, refused["Retry-After"]) == (429, "2")
    assert refused.json()["detail"].startswith("This key may ask 0.5 times a second")
    assert (
        service.client.post(service.predict_path, picture(DARK), content_type="image/png").status_code == 200
    )


@pytest.mark.django_db
def test_of_many_requests_at_once_exactly_a_seconds_worth_is_let_in() -> None:
    key, _ = key_create(project=factories.project(), name="busy", user=None, requests_per_second=10)
    let_in: list[int] = []
    start = threading.Barrier(40)

    def ask(number: int) -> None:
        start.wait()
        try:
            request_admit(key=key)
        except TooManyRequests:
            return
        let_in.append(number)

    threads = [threading.Thread(target=ask, args=[number]) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # While the forty ask, the bucket gains a token a tenth of a second.
    assert 10 <= len(let_in) < 40


def test_a_request_that_is_sent_again_is_answered_again_and_done_once(service: Service) -> None:
    def ask(image: bytes, key: str = "order-17", path: str = service.predict_path) -> tuple[int, object, str]:
        response = service.client.post(
            path, image, content_type="image/png", headers={"Idempotency-Key": key}
        )
        return response.status_code, response.json(), response.headers.get("Idempotent-Replayed", "")

    first = ask(picture(DARK))
    assert ask(picture(DARK)) == (200, first[1], "true")
    assert Prediction.objects.count() == 1
    assert ask(picture(LIGHT))[0] == 422
    assert ask(picture(DARK), path=f"{service.predict_path}?top=1")[0] == 422
    # A failure may be tried again with the same key; another API key has names of its own.
    assert ask(b"no image", key="order-18")[0] == 400
    assert ask(picture(DARK), key="order-18")[0] == 200
    request_once(key=service.key, idempotency_key="order-19", parts=[b"None", b"", picture(DARK)])
    status, answer, _ = ask(picture(DARK), key="order-19")
    assert (status, answer) == (
        409,
        {"detail": "A request with this Idempotency-Key is being answered: wait for it."},
    )
    assert ask(picture(DARK), key="x" * 201)[0] == 400


@pytest.mark.parametrize("image", [picture(DARK), b"no image"])
def test_redis_may_fail_once_the_answer_is_there(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, image: bytes
) -> None:
    def gone(*_: object) -> None:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(Once, "answered", gone)
    monkeypatch.setattr(Once, "given_up", gone)
    answer = service.client.post(
        service.predict_path, image, content_type="image/png", headers={"Idempotency-Key": "order-21"}
    )
    assert answer.status_code == (400 if image == b"no image" else 200)
    assert caplog.text.count("What became of an Idempotency-Key cannot be kept: gone") == 1


def test_old_predictions_are_forgotten_but_not_those_a_rollout_looks_at(service: Service) -> None:
    [(image, label), (other, _)] = images(2)
    answer = service.client.post(service.predict_path, image, content_type="image/png").json()
    Feedback.objects.create(
        prediction_id=answer["predictions"][0]["id"],
        api_key=service.key,
        label=service.project.questions.get().labels.get(name=label),
    )
    rolled = rollout(service, "ab", trained.version(service.project, seed=1))
    looked_at = rolled.ask(other)
    Prediction.objects.update(created_at=timezone.now() - timedelta(days=8))
    rolled.ask(next(images(1, start=90))[0])
    assert predictions_forget() == 0, "nobody has said how long they are kept"

    manager = Client()
    manager.force_login(factories.member(service.project, Membership.Role.MANAGER))
    page = f"/projects/{service.project.slug}/deployment/"
    assert manager.post(f"{page}traffic", {"keep_days": "soon"}).status_code == 422
    assert manager.post(f"{page}traffic", {"keep_days": "7"}).status_code == 302
    assert TrafficPolicy.objects.get().keep_days == 7
    assert predictions_forget() == 2, "the prediction and its feedback"
    assert predictions_forget() == 0
    assert Prediction.objects.filter(pk=looked_at["id"]).exists()
    assert Prediction.objects.count() == 2


def test_what_a_killed_process_had_begun_is_taken_over_and_what_a_living_one_has_is_not(
    service: Service,
) -> None:
    claim = (
        "import django; django.setup();"
        "from serving.services.idempotency import request_once; from serving.models import ApiKey;"
        f"request_once(key=ApiKey(pk={service.key.pk}), idempotency_key='order-20', parts=[b'a']);"
        "print('claimed', flush=True); import time; time.sleep(60)"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    with subprocess.Popen(
        [sys.executable, "-c", claim], env=environment, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "claimed\n"
        with pytest.raises(InFlight):
            request_once(key=service.key, idempotency_key="order-20", parts=[b"a"])
        other.kill()
    once = request_once(key=service.key, idempotency_key="order-20", parts=[b"a"])
    assert isinstance(once, Once)
    with pytest.raises(InFlight):
        request_once(key=service.key, idempotency_key="order-20", parts=[b"a"])
    # The first is nearly through: the second gets its answer instead of being sent away.
    timer = Timer(0.3, once.answered, [b"done"])
    timer.start()
    assert request_once(key=service.key, idempotency_key="order-20", parts=[b"a"]) == b"done"
    timer.join()


def test_few_wait_for_a_first_request_and_the_others_are_told_at_once(service: Service) -> None:
    def again() -> float:
        began = time.monotonic()
        with pytest.raises(InFlight):
            request_once(key=service.key, idempotency_key="order-22", parts=[b"a"])
        return time.monotonic() - began

    assert isinstance(request_once(key=service.key, idempotency_key="order-22", parts=[b"a"]), Once)
    with ThreadPoolExecutor(24) as pool:
        took = [one.result() for one in [pool.submit(again) for _ in range(24)]]
    assert sum(one < 0.9 for one in took) == 22


def test_an_answer_that_is_too_large_to_be_kept_is_refused_before_it_is_made(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(path: str = service.predict_path, key: str = "order-23") -> HttpResponse:
        headers = {"Idempotency-Key": key} if key else {}
        answer: HttpResponse = service.client.post(path, picture(DARK), "image/png", headers=headers)  # type: ignore[assignment]  # the test client's own class
        return answer

    monkeypatch.setattr("serving.api.once.MOST_LABELS", 1)
    refused = ask()
    assert refused.status_code == 400
    assert b"at most 1 labels, and this one would have 2: send fewer images" in refused.content
    assert not Prediction.objects.exists()
    assert ask(key="").status_code == 200
    assert ask(f"{service.predict_path}?top=1").status_code == 200, "the key is free for a smaller request"


def test_the_answers_of_a_key_take_so_much_memory_and_each_is_kept_for_a_minute(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "KEPT_BYTES", 24 * 10_000)
    rng = np.random.default_rng(0)
    lives = []
    for number in range(200):
        once = request_once(key=service.key, idempotency_key=f"order-{number}", parts=[b"a"])
        assert isinstance(once, Once)
        once.answered(rng.bytes(1_000))
        lives.append(redis_client().ttl(once.name))
    day = 24 * 60 * 60
    assert lives[0] == pytest.approx(day, abs=2)
    assert lives == sorted(lives, reverse=True)
    # An hour as busy as this one keeps so many bytes, however many hours follow.
    assert lives[-1] == pytest.approx(60 * 60 * 24 * 10_000 / (200 * 1_090), rel=0.1)
    monkeypatch.setattr(idempotency, "KEPT_BYTES", 1)
    last = request_once(key=service.key, idempotency_key="order-200", parts=[b"a"])
    assert isinstance(last, Once)
    last.answered(b"{}" * 50_000)
    assert 58 <= redis_client().ttl(last.name) <= 60
    assert redis_client().strlen(last.name) < 1_000, "packed"
    assert request_once(key=service.key, idempotency_key="order-200", parts=[b"a"]) == b"{}" * 50_000
    # Nothing but what forgets by itself may stay in the memory that messages need.
    assert 0 < redis_client().ttl(last.kept_by) <= 60 * 60
