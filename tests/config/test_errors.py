import pytest
from django.test import Client

from labelling.models import Membership
from tests import factories


@pytest.mark.django_db
def test_a_wrong_address_is_answered_in_the_words_of_whoever_asks(client: Client) -> None:
    assert client.get("/api/v1/projects/%C3/predict").json()["detail"].startswith("Nothing lives at this")
    assert client.get("/v2/models/%C3/infer").json()["error"].startswith("Nothing lives at this address")
    page = client.get("/nowhere")
    assert page.status_code == 404
    assert "There is no such page" in page.content.decode()


@pytest.mark.django_db
def test_what_is_not_there_any_more_is_named_in_plain_words(client: Client) -> None:
    project = factories.project()
    client.force_login(factories.member(project, Membership.Role.MANAGER))
    answer = client.get(f"/api/v1/projects/{project.slug}/rollouts/999")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "There is no such rollout: it may have been deleted meanwhile."
    page = client.get(f"/projects/{project.slug}/models/999/")
    assert page.status_code == 404
    assert "There is no such model version: it may have been deleted" in page.content.decode()


@pytest.mark.django_db
def test_a_body_that_django_will_not_read_gets_a_sentence(client: Client) -> None:
    project = factories.project()
    client.force_login(factories.member(project))
    answer = client.post(f"/api/v1/projects/{project.slug}/leases", {"holding": ["1"] * 1001, "count": "1"})
    assert answer.status_code == 400
    assert "exceeded" in answer.json()["detail"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ('{"action": "\\ud800"}', "The JSON holds half a surrogate pair, which is no character."),
        ('{"\\udfff": 1}', "The JSON holds half a surrogate pair, which is no character."),
        (50_000 * "[" + 50_000 * "]", "The JSON is nested too deeply."),
    ],
)
def test_json_that_no_answer_could_hold_gets_a_sentence(client: Client, body: str, sentence: str) -> None:
    project = factories.project()
    client.force_login(factories.member(project, Membership.Role.MANAGER))
    address = f"/api/v1/projects/{project.slug}/augmentation"
    answer = client.patch(address, body, content_type="application/json")
    assert (answer.status_code, answer.json()) == (400, {"detail": sentence})


@pytest.mark.django_db
def test_a_whole_surrogate_pair_is_a_character(client: Client) -> None:
    project = factories.project()
    client.force_login(factories.member(project, Membership.Role.MANAGER))
    address = f"/api/v1/projects/{project.slug}/augmentation"
    answer = client.patch(address, '{"action": "\\ud83d\\ude00"}', content_type="application/json")
    assert (answer.status_code, answer.json()) == (
        400,
        {"detail": "action: There is no such action; there are: pause, resume."},
    )
