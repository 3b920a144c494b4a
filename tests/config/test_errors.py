import pytest
from django.test import Client

from tests import factories


@pytest.mark.django_db
def test_a_wrong_address_is_answered_in_the_words_of_whoever_asks(client: Client) -> None:
    assert client.get("/api/v1/projects/%C3/predict").json()["detail"].startswith("Nothing lives at this")
    assert client.get("/v2/models/%C3/infer").json()["error"].startswith("Nothing lives at this address")
    page = client.get("/nowhere")
    assert page.status_code == 404
    assert "There is no such page" in page.content.decode()


@pytest.mark.django_db
def test_a_body_that_django_will_not_read_gets_a_sentence(client: Client) -> None:
    project = factories.project()
    client.force_login(factories.member(project))
    answer = client.post(f"/api/v1/projects/{project.slug}/leases", {"holding": ["1"] * 1001, "count": "1"})
    assert answer.status_code == 400
    assert "exceeded" in answer.json()["detail"]
