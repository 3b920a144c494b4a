"""Too many requests: as many as can be are answered, the others are told at once, nobody waits for long."""

import threading
import time
from collections import Counter

import numpy as np
import pytest

from serving.models import Prediction
from serving.services.admission import Admission, Deadline, Overloaded, TooLate
from tests.serving.conftest import Service
from tests.serving.trained import DARK, picture
from tests.serving.web import web_running


def test_so_many_run_so_many_wait_and_the_next_is_turned_away() -> None:
    gate = Admission(running=2, waiting=3)
    go_on, inside = threading.Event(), Counter[str]()

    def enter() -> None:
        with gate.entered(Deadline(time.monotonic())):
            inside["now"] += 1
            inside["most"] = max(inside["most"], inside["now"])
            go_on.wait(20)
            inside["now"] -= 1

    threads = [threading.Thread(target=enter) for _ in range(5)]
    for thread in threads:
        thread.start()
    while gate._waits < 3:
        time.sleep(0.001)
    with pytest.raises(Overloaded) as refusal, gate.entered(Deadline(time.monotonic())):
        raise AssertionError("nobody gets in")
    assert refusal.value.wait >= 1
    with pytest.raises(Overloaded):
        gate.check()
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert inside["most"] <= 2
    gate.check()


def test_a_turn_that_does_not_come_in_time_is_given_up() -> None:
    gate = Admission(running=1, waiting=3)
    started = time.monotonic()
    with gate.entered(Deadline(started)):
        with pytest.raises(TooLate), gate.entered(Deadline(time.monotonic(), 0.2)):
            raise AssertionError("nobody gets in")
        assert 0.2 <= time.monotonic() - started < 5
    with pytest.raises(TooLate), gate.entered(Deadline(started, 0.1)):
        raise AssertionError("it is too late already")
    with gate.entered(Deadline(time.monotonic(), 0.2)):
        pass


@pytest.mark.parametrize("sent", ["soon", "-1", "0", "nan", "inf", "", "1e999"])
def test_a_timeout_that_is_none_is_refused(service: Service, sent: str) -> None:
    refused = service.client.post(
        service.predict_path, picture(DARK), "image/png", headers={"X-Request-Timeout": sent}
    )
    assert refused.status_code == 400
    assert refused.json()["detail"] == f"X-Request-Timeout is '{sent}': it must be seconds, more than 0."


def test_an_answer_that_would_come_too_late_is_504_and_leaves_nothing(service: Service) -> None:
    late = service.client.post(
        service.predict_path, picture(DARK), "image/png", headers={"X-Request-Timeout": "0.00001"}
    )
    assert late.status_code == 504
    assert late.json() == {
        "detail": "No answer within the 1e-05 s that the request allows: nothing was predicted."
    }
    pixels = np.zeros((1, 8, 8, 3), int).tolist()
    asked = {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 8, 8, 3], "data": pixels}]}
    path = f"/v2/models/{service.project.slug}/infer"

    def infer(timeout: object) -> tuple[int, str]:
        body = {**asked, "parameters": {"timeout": timeout}}
        response = service.client.post(path, body, "application/json")
        return response.status_code, response.json().get("error", "")

    assert infer(1)[0] == 504
    for wrong in (0, -5, 1.5, "1", True, 10**400):
        status, error = infer(wrong)
        assert (status, error.startswith("The parameter 'timeout' must be")) == (400, True), wrong
    assert not Prediction.objects.exists()
    assert infer(9_000_000)[0] == 200
    in_time = service.client.post(
        service.predict_path, picture(DARK), "image/png", headers={"X-Request-Timeout": "9.5"}
    )
    assert in_time.status_code == 200


def test_under_overload_most_are_answered_quickly_and_the_others_are_told_to_come_back(
    service: Service,
) -> None:
    found: list[tuple[int, float, str]] = []
    with web_running(service) as web:
        stop = time.monotonic() + 5

        def client() -> None:
            while time.monotonic() < stop:
                asked = time.monotonic()
                status, headers, _ = web.ask()
                found.append((status, time.monotonic() - asked, headers.get("retry-after", "")))

        clients = [threading.Thread(target=client) for _ in range(100)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join(60)
        assert web.ask()[0] == 200
    statuses = Counter(status for status, _, _ in found)
    assert set(statuses) == {200, 503}, "nobody is left without an answer"
    assert statuses[200] > 50
    assert all(int(after) >= 1 for status, _, after in found if status == 503)
    assert max(took for _, took, _ in found) < 10
