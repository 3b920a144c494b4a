import pytest
from django.test import Client


@pytest.mark.django_db
def test_a_wrong_address_is_answered_in_the_words_of_whoever_asks(client: Client) -> None:
    assert client.get("/api/v1/projects/%C3/predict").json()["detail"].startswith("Nothing lives at this")
    assert client.get("/v2/models/%C3/infer").json()["error"].startswith("Nothing lives at this address")
    page = client.get("/nowhere")
    assert page.status_code == 404
    assert "There is no such page" in page.content.decode()
