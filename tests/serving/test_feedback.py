import threading
import time
import uuid

import pytest
from django.db import DatabaseError, connection, transaction
from django.http import HttpResponse
from django.test import Client

from serving.models import Feedback
from serving.services.keys import key_create
from tests.serving import trained
from tests.serving.conftest import Service
from tests.serving.trained import DARK, picture


def predict(service: Service) -> str:
    response = service.client.post(service.predict_path, picture(DARK), content_type="image/png")
    found: str = response.json()["predictions"][0]["id"]
    return found


def send(service: Service, prediction: object, body: object, client: Client | None = None) -> HttpResponse:
    path = f"/api/v1/projects/{service.project.slug}/predictions/{prediction}/feedback"
    response: HttpResponse = (client or service.client).post(path, body, content_type="application/json")  # type: ignore[assignment]  # the test client's own class
    return response


def test_feedback_is_stored_once_and_never_contradicts_itself(service: Service) -> None:
    prediction = predict(service)
    first = send(service, prediction, {"label": "light"})
    assert (first.status_code, first.json()) == (201, {"prediction": prediction, "label": "light"})  # type: ignore[attr-defined]  # the test client adds json()
    again = send(service, prediction, {"label": "light"})
    assert (again.status_code, again.content) == (200, first.content)
    other = send(service, prediction, {"label": "dark"})
    assert other.status_code == 409
    assert "says 'light' already; it cannot become 'dark'" in other.content.decode()
    stored = Feedback.objects.get()
    assert (str(stored.prediction_id), stored.label.name, stored.api_key) == (
        prediction,
        "light",
        service.key,
    )


def test_an_unknown_label_is_refused_with_those_there_are(service: Service) -> None:
    response = send(service, predict(service), {"label": "grey"})
    assert response.status_code == 400
    assert response.content.decode() == (
        '{"detail":"There is no label \'grey\' in this project. It has: dark, light."}'
    )


def test_bodies_that_are_no_label_are_refused(service: Service) -> None:
    prediction = predict(service)
    for body in ("[]", "7", "null", "{}", '{"label": 7}', '{"label": null}', "{", ""):
        response = send(service, prediction, body)
        assert response.status_code == 400, body
    assert send(service, prediction, "[" * 4000).status_code == 400
    assert send(service, prediction, '{"label": "' + "7" * 5000 + '"}').status_code == 413
    assert not Feedback.objects.exists()


def test_predictions_that_are_not_this_projects_are_404(service: Service) -> None:
    mine = predict(service)
    other = trained.project()
    _, plain = key_create(project=other, name="other", user=None)
    stranger = Client(headers={"Authorization": f"Bearer {plain}"})
    foreign = stranger.post(
        f"/api/v1/projects/{other.slug}/predictions/{mine}/feedback",
        {"label": "dark"},
        content_type="application/json",
    )
    assert foreign.status_code == 404
    assert send(service, mine, {"label": "dark"}, stranger).status_code == 404
    for unknown in (uuid.uuid4(), "not-an-id"):
        response = send(service, unknown, {"label": "dark"})
        assert response.status_code == 404
        assert f"There is no prediction '{unknown}'" in response.content.decode()
    assert not Feedback.objects.exists()


def test_the_same_feedback_at_the_same_time_is_stored_once(service: Service) -> None:
    prediction = predict(service)
    start, statuses = threading.Barrier(6), []

    def run() -> None:
        client = Client(headers={"Authorization": f"Bearer {service.plain}"})
        start.wait()
        # As a client must: a busy machine may answer "in a second".
        while (answer := send(service, prediction, {"label": "dark"}, client)).status_code == 503:
            time.sleep(int(answer["Retry-After"]))
        statuses.append(answer.status_code)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 5 + [201]
    with pytest.raises(DatabaseError, match="never change"), transaction.atomic():
        Feedback.objects.update(api_key=None)
