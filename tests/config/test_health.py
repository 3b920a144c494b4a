import pytest
from django.db import connections
from django.test import Client
from pytest_django.fixtures import Settings


def test_live_answers_without_any_part(client: Client) -> None:
    # The test has no access to the database: asking it would fail.
    assert client.get("/health/live").json() == {"status": "alive"}


@pytest.mark.django_db
def test_ready_when_database_and_redis_answer(client: Client) -> None:
    response = client.get("/health/ready")
    assert (response.status_code, response.json()) == (200, {"status": "ready"})


@pytest.mark.django_db
def test_without_redis_it_is_not_ready_and_says_what_is_missing(client: Client, settings: Settings) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "unix:///nowhere.sock"}}
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["detail"] == "Not ready: Redis did not answer."


@pytest.mark.django_db(transaction=True)
def test_without_its_database_it_is_not_ready_and_says_what_is_missing(client: Client) -> None:
    connection = connections["default"]
    host = connection.settings_dict["HOST"]
    connection.close()
    connection.settings_dict["HOST"] = "/nowhere"
    try:
        response = client.get("/health/ready")
    finally:
        connection.settings_dict["HOST"] = host
    assert response.status_code == 503
    assert response.json()["detail"] == "Not ready: the database did not answer."


@pytest.mark.django_db
def test_a_health_check_is_not_sent_to_https(client: Client, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/login/").status_code == 301
    assert client.get("/health/ready").status_code == 200
    assert client.get("/health/live").status_code == 200
    assert client.get("/v2/health/ready").status_code == 200


def test_a_health_check_writes_nothing(client: Client) -> None:
    assert client.post("/health/live").status_code == 405


@pytest.mark.django_db
def test_the_open_inference_protocols_words_for_it(client: Client, settings: Settings) -> None:
    assert client.get("/v2").json()["name"] == "quern"
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "unix:///nowhere.sock"}}
    response = client.get("/v2/health/ready")
    assert (response.status_code, response.json()["ready"]) == (503, False)
